# Makes figures.json: exact maximum-likelihood fits of R's classical series, which tests/classical.rs holds ours to.
#   Rscript figures.R > figures.json        (made with R 4.2.2, forecast 8.20, jsonlite)
suppressMessages({ library(forecast); library(jsonlite) })
tight <- list(maxit = 2000, reltol = 1e-14)

# The best of R's searches: from the conditional sum of squares, from zero, and by another method.
best_fit <- function(...) {
  ways <- list(list(method = "CSS-ML"), list(method = "ML"), list(method = "ML", optim.method = "Nelder-Mead"))
  fits <- lapply(ways, function(way)
    tryCatch(suppressWarnings(do.call(Arima, c(list(...), way, list(optim.control = tight)))), error = function(e) NULL))
  fits <- Filter(function(fit) !is.null(fit) && is.finite(fit$loglik), fits)
  fits[[which.max(sapply(fits, function(fit) fit$loglik))]]
}

case <- function(name, y, order, seasonal = c(0, 0, 0), mean = FALSE, drift = FALSE, x = NULL, x_future = NULL, h = 8) {
  period <- frequency(y)
  arguments <- list(y = y, order = order, seasonal = list(order = seasonal, period = period),
                    include.mean = mean, include.drift = drift)
  if (!is.null(x)) arguments$xreg <- cbind(x1 = x)
  fit <- do.call(best_fit, arguments)
  future <- if (is.null(x)) forecast(fit, h = h, level = 80) else forecast(fit, xreg = cbind(x1 = x_future), level = 80)
  errors <- suppressWarnings(sqrt(diag(fit$var.coef)))
  # R keeps near-zero residuals for what differencing consumes; they are no residuals.
  left <- tail(as.numeric(residuals(fit)), length(y) - order[2] - seasonal[2] * period)
  estimated <- sum(order[c(1, 3)], seasonal[c(1, 3)])
  test <- if (anyNA(left)) list(statistic = NA, p.value = NA)
          else Box.test(left, lag = 12, type = "Ljung-Box", fitdf = estimated)
  list(series = name, period = period, order = order, seasonal = seasonal, mean = mean, drift = drift,
       regressor = x, regressor_future = x_future, coef = as.list(fit$coef), standard_error = as.list(errors),
       loglik = fit$loglik, aic = fit$aic, aicc = fit$aicc, bic = fit$bic, sigma2 = fit$sigma2,
       ljung_box = unname(test$statistic), ljung_box_p = test$p.value,
       forecast = as.numeric(future$mean), hi80 = as.numeric(future$upper[, 1]))
}

gaps <- function(y, at) { y[at] <- NA; y }
series <- list(lh = lh, LakeHuron = LakeHuron, Nile = Nile, WWWusage = WWWusage, USAccDeaths = USAccDeaths,
               logAirPassengers = log(AirPassengers), AirPassengers = AirPassengers, loglynx = log10(lynx), nottem = nottem,
               UKgas = log(UKgas), JohnsonJohnson = log(JohnsonJohnson), BJsales = BJsales, austres = austres,
               sunspot.year = sunspot.year, presidents = presidents, ldeaths = ldeaths,
               NileGaps = gaps(Nile, c(1, 21:40, 61:80)), lhGaps = gaps(lh, c(5, 6, 30)),
               USAccDeathsGaps = gaps(USAccDeaths, c(20, 33, 34, 50)), WWWusageGaps = gaps(WWWusage, c(10, 40:44, 100)),
               BJsalesGaps = gaps(BJsales, c(2, 3, 50)))
year <- as.numeric(time(LakeHuron)) - 1920

fits <- list(
  case("lh", lh, c(1, 0, 0), mean = TRUE),
  case("lh", lh, c(3, 0, 0), mean = TRUE),
  case("lh", lh, c(1, 0, 1), mean = TRUE),
  case("LakeHuron", LakeHuron, c(2, 0, 0), mean = TRUE, x = year, x_future = max(year) + 1:8),
  case("LakeHuron", LakeHuron, c(1, 0, 1), mean = TRUE),
  case("LakeHuron", LakeHuron, c(0, 1, 1), drift = TRUE),
  case("Nile", Nile, c(1, 1, 1)),
  case("Nile", Nile, c(1, 0, 1), mean = TRUE),
  case("WWWusage", WWWusage, c(3, 1, 0)),
  case("WWWusage", WWWusage, c(1, 2, 1)),
  case("USAccDeaths", USAccDeaths, c(0, 1, 1), c(0, 1, 1)),
  case("USAccDeaths", USAccDeaths, c(1, 1, 1), c(0, 1, 1)),
  case("logAirPassengers", log(AirPassengers), c(0, 1, 1), c(0, 1, 1)),
  case("AirPassengers", AirPassengers, c(2, 1, 1), c(0, 1, 0)),
  case("loglynx", log10(lynx), c(4, 0, 1), mean = TRUE),
  case("nottem", nottem, c(1, 0, 0), c(2, 1, 0)),
  case("UKgas", log(UKgas), c(0, 1, 1), c(0, 1, 1)),
  case("JohnsonJohnson", log(JohnsonJohnson), c(1, 1, 1), c(1, 1, 1)),
  case("BJsales", BJsales, c(1, 1, 1)),
  case("austres", austres, c(0, 2, 1)),
  case("sunspot.year", sunspot.year, c(9, 0, 0), mean = TRUE),
  case("ldeaths", ldeaths, c(1, 0, 0), c(0, 1, 1)),
  case("presidents", presidents, c(3, 0, 0), mean = TRUE),
  case("presidents", presidents, c(1, 1, 1)),
  case("NileGaps", series$NileGaps, c(0, 1, 1)),
  case("NileGaps", series$NileGaps, c(1, 0, 1), mean = TRUE),
  case("lhGaps", series$lhGaps, c(1, 0, 1), mean = TRUE),
  case("WWWusageGaps", series$WWWusageGaps, c(1, 1, 1)),
  case("BJsalesGaps", series$BJsalesGaps, c(0, 2, 1)),
  case("USAccDeathsGaps", series$USAccDeathsGaps, c(0, 1, 1), c(0, 1, 1)))

auto <- lapply(c("LakeHuron", "Nile", "WWWusage", "USAccDeaths", "logAirPassengers", "nottem", "austres", "lh"), function(name) {
  fit <- auto.arima(series[[name]], approximation = FALSE)
  a <- fit$arma
  list(series = name, period = a[5], order = a[c(1, 6, 2)], seasonal = a[c(3, 7, 4)], aicc = fit$aicc)
})
tests <- lapply(c("LakeHuron", "Nile", "USAccDeaths", "logAirPassengers", "nottem", "UKgas"), function(name) {
  y <- series[[name]]
  kpss <- urca::ur.kpss(y, type = "mu", use.lag = trunc(3 * sqrt(length(y)) / 13))
  seasonal <- frequency(y) > 1
  # By number of lags: R's choice among them is one less than the one its criterion is lowest at.
  ocsb <- if (seasonal) sapply(0:3, function(lags) unname(ocsb.test(y, lag.method = "fixed", maxlag = lags)$statistics))
  parts <- if (seasonal) mstl(y) else NULL
  strength <- if (seasonal) 1 - var(parts[, 4]) / var(parts[, 3] + parts[, 4]) else NA
  list(series = name, period = frequency(y), kpss = kpss@teststat, strength = strength, ocsb = ocsb,
       ndiffs = ndiffs(y), nsdiffs = if (seasonal) nsdiffs(y) else 0)
})
values <- lapply(series, as.numeric)
cat(toJSON(list(series = values, fits = fits, auto = auto, tests = tests), auto_unbox = TRUE, digits = NA, na = "null", null = "null"))
