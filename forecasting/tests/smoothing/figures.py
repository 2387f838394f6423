"""Reference figures of smoothing and intermittent methods, from statsmodels 0.15 and statsforecast 2.1.

  python figures.py > figures.json
The series are drawn here; nothing is taken from real sales.
"""

import json
import warnings

import numpy as np
from statsforecast.models import ADIDA, TSB, CrostonClassic, CrostonSBA
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

warnings.filterwarnings("ignore")
draw = np.random.default_rng(11)


def intermittent():
    cases = []
    for size, chance in ((60, 0.1), (84, 0.3), (112, 0.7), (40, 0.05)):
        y = np.where(draw.random(size) < chance, draw.poisson(3, size) + 1, 0).astype(float)
        y[7] = 2.0
        of = lambda model: float(model.forecast(y=y, h=1)["mean"][0])
        cases.append({
            "y": y.tolist(), "croston": of(CrostonClassic()), "sba": of(CrostonSBA()), "tsb": of(TSB(0.2, 0.1)),
            "adida": of(ADIDA()),
        })
    return cases


def multiplicative(y, weights, level, trend, terms):
    """ETS(M,Ad,M) of Hyndman et al. 2008, table 2.3, word for word: statsmodels divides the season's error by the new level."""
    relative, forecasts = [], []
    phi = weights["phi"]
    for value in y:
        forecast = (level + phi * trend) * terms[0]
        error = (value - forecast) / forecast
        relative.append(error)
        forecasts.append(forecast)
        level, trend, last = (
            (level + phi * trend) * (1 + weights["alpha"] * error),
            phi * trend + weights["beta"] * (level + phi * trend) * error,
            terms[0] * (1 + weights["gamma"] * error),
        )
        terms = terms[1:] + [last]
    count = len(y)
    loglik = -0.5 * count * (np.log(2 * np.pi * np.mean(np.square(relative))) + 1) - np.sum(np.log(forecasts))
    ahead, reached = [], 0.0
    for step in range(10):
        reached += phi ** (step + 1)
        ahead.append((level + reached * trend) * terms[step % 7])
    return float(loglik), [float(value) for value in ahead]


def ets():
    t = np.arange(84)
    y = 40 + 0.2 * t + 8 * np.sin(2 * np.pi * t / 7) + draw.normal(0, 2, 84)
    cases = []
    for error, trend, damped, season in (
        ("add", None, False, None), ("add", "add", False, None), ("add", "add", True, None), ("add", None, False, "add"),
        ("add", "add", True, "add"), ("mul", None, False, None), ("mul", "add", False, "add"), ("mul", None, False, "mul"),
        ("mul", "add", True, "mul"),
    ):
        weights = {"alpha": 0.3, "beta": 0.05 if trend else 0.0, "gamma": 0.2 if season else 0.0, "phi": 0.95 if damped else 1.0}
        terms = [5.0, 3.0, 0.0, -4.0, -6.0, -1.0, 3.0]
        terms = [1 + x / 40 for x in terms] if season == "mul" else terms
        known = {"initialization_method": "known", "initial_level": 41.0}
        if trend:
            known["initial_trend"] = 0.3
        if season:
            known["initial_seasonal"] = terms
        model = ETSModel(y, error=error, trend=trend, damped_trend=damped, seasonal=season, seasonal_periods=7 if season else None, **known)
        order = {"smoothing_level": weights["alpha"], "smoothing_trend": weights["beta"],
                 "smoothing_seasonal": weights["gamma"], "damping_trend": weights["phi"]}
        result = model.smooth([order[name] for name in model.param_names if name in order])
        estimated = ETSModel(y, error=error, trend=trend, damped_trend=damped, seasonal=season, seasonal_periods=7 if season else None).fit(disp=False)
        loglik, forecast = float(result.llf), result.forecast(10).tolist()
        if season == "mul":
            loglik, forecast = multiplicative(y, weights, 41.0, 0.3 if trend else 0.0, terms)
        cases.append({
            "error": error, "trend": trend, "damped": damped, "season": season, "weights": weights, "level": 41.0,
            "initial_trend": 0.3 if trend else 0.0, "terms": terms if season else [],
            "loglik": loglik, "forecast": forecast, "best_loglik": float(estimated.llf),
        })
    return {"y": y.tolist(), "cases": cases}


def theta():
    y = 20 + 0.5 * np.arange(50) + draw.normal(0, 3, 50)
    fitted = ThetaModel(y, deseasonalize=False, use_test=False, method="additive").fit()
    return {"y": y.tolist(), "alpha": float(fitted.params["alpha"]), "slope": float(fitted.params["b0"]),
            "forecast": fitted.forecast(5).tolist()}


print(json.dumps({"intermittent": intermittent(), "ets": ets(), "theta": theta()}))
