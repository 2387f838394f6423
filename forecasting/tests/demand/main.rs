//! The demand models on made-up shops.

mod panels;

use linli_forecasting::Error;
use linli_forecasting::backtest::{Run, restock, score};
use linli_forecasting::demand::{DemandModel, SeriesForecast};
use linli_forecasting::panel::{Labels, Panel};
use linli_forecasting::pooled::Pooled;
use panels::{Shop, shop};

fn all(panel: &Panel) -> Vec<usize> {
    (0..panel.len()).collect()
}

fn forecasts(panel: &Panel, model: DemandModel, observed: usize) -> Vec<SeriesForecast> {
    let view = panel.observed(observed).expect("days");
    model.fit(view).expect("fits").forecast_in_parallel(view, &all(panel))
}

fn sound(forecast: &SeriesForecast) {
    for summary in forecast.steps.iter().chain(&forecast.totals) {
        assert!(summary.mean.is_finite() && summary.mean >= 0.0, "{summary:?}");
        assert!(summary.quantiles[0] >= 0.0 && summary.quantiles.iter().all(|q| q.is_finite()), "{summary:?}");
        assert!(summary.quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{summary:?}");
    }
}

#[test]
fn quantiles_cover_what_comes_and_means_beat_the_naive_forecast() {
    let shop = shop(400, 220, 3);
    let panel = shop.panel();
    let model = DemandModel::new(3).expect("a horizon");
    let mut run = Run { origins: Vec::new(), forecasts: Vec::new() };
    for origin in [180, 190, 200, 210] {
        run.origins.push(origin);
        run.forecasts.push(forecasts(&panel, model, origin + 1));
    }
    run.forecasts.iter().flatten().for_each(sound);
    let demand: Vec<&[f64]> = (0..panel.len()).map(|series| panel.demand(series)).collect();
    let ours = score(&run, &demand);
    assert!((0.93..=0.985).contains(&ours.covered_95), "{ours:?}");
    assert!((0.86..=0.96).contains(&ours.covered_90), "{ours:?}");
    assert!(ours.bias.abs() < 0.05, "{ours:?}");
    // The same day of the week before.
    let mut naive = run.clone();
    for (origin, forecasts) in naive.origins.iter().zip(&mut naive.forecasts) {
        for (series, forecast) in forecasts.iter_mut().enumerate() {
            let before = &panel.demand(series)[origin - 6..=origin - 4];
            forecast.totals[1].mean = before.iter().sum();
        }
    }
    assert!(ours.wape3 < 0.8 * score(&naive, &demand).wape3, "{ours:?}");
    // The truth is known here: nobody can do better than its mean.
    let mut truth = run.clone();
    for (origin, forecasts) in truth.origins.iter().zip(&mut truth.forecasts) {
        for (series, forecast) in forecasts.iter_mut().enumerate() {
            forecast.totals[1].mean = (1..=3).map(|step| shop.mean(series, origin + step)).sum();
        }
    }
    assert!(ours.wape3 < 1.08 * score(&truth, &demand).wape3, "{} {}", ours.wape3, score(&truth, &demand).wape3);
}

#[test]
fn order_of_series_and_number_of_threads_change_no_bit() {
    let shop = shop(250, 150, 9);
    let model = DemandModel::new(3).expect("a horizon");
    let plain = forecasts(&shop.panel(), model, 150);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("threads");
    assert_eq!(one.install(|| forecasts(&shop.panel(), model, 150)), plain);
    let order: Vec<usize> = (0..250).map(|at| (at * 77 + 13) % 250).collect();
    let moved = forecasts(&shop.reordered(&order).panel(), model, 150);
    for (at, from) in order.iter().enumerate() {
        assert_eq!(moved[at], plain[*from], "series {from} moved to {at}");
    }
}

#[test]
fn a_forecast_says_why_it_is_what_it_is() {
    let panel = shop(250, 150, 9).panel();
    let fitted = DemandModel::new(3).expect("a horizon").fit(panel.observed(150).expect("days")).expect("fits");
    let why = fitted.explain(3);
    assert!((why.profile.iter().sum::<f64>() / 7.0 - 1.0).abs() < 1e-9, "{why:?}");
    assert!(why.profile[5] > 1.2 && why.profile[0] < 0.85, "{why:?}");
    assert!((7.0..=42.0).contains(&why.half_life_days) && (0.0..=1.0).contains(&why.share_of_trees), "{why:?}");
}

#[test]
fn a_sold_out_day_is_not_a_day_without_demand() {
    let mut demand = vec![10.0; 140];
    demand[100..].iter_mut().step_by(2).for_each(|units| *units = f64::NAN);
    let panel = Panel::new(vec![Labels::default()], 140, demand).expect("a panel");
    let view = panel.observed(140).expect("days");
    let means = Pooled::default().fit(view).expect("fits").means(view, 0, 3);
    assert!(means.iter().all(|mean| (mean - 10.0).abs() < 0.1), "{means:?}");
}

#[test]
fn a_promotion_that_is_known_ahead_raises_the_forecast() {
    let shop = shop(300, 160, 21);
    let raised = shop.with_promotion_ahead();
    let (plain, raised) = (shop.panel(), raised.panel());
    let total = |panel: &Panel| {
        let view = panel.observed(150).expect("days");
        let fitted = Pooled::default().fit(view).expect("fits");
        (0..panel.len()).map(|series| fitted.means(view, series, 1)[0]).sum::<f64>()
    };
    let ratio = total(&raised) / total(&plain);
    assert!((1.4..2.0).contains(&ratio), "made with a factor of {}, learnt {ratio}", Shop::PROMOTION);
}

#[test]
fn what_a_holiday_did_is_expected_of_the_next_one() {
    let (days, ahead) = (180, 7);
    let mut shop = shop(60, days, 23);
    // three times as much before it, half as much within it
    let mut rows = [vec![0.0_f32; days], vec![0.0_f32; days]];
    for first in [90, 125, days - 5] {
        rows[0][first - 2..first].fill(1.0);
        rows[1][first..first + 3].fill(1.0);
    }
    for demand in &mut shop.demand {
        for (day, units) in demand.iter_mut().enumerate().take(days - ahead) {
            *units *= 1.0 + 2.0 * f64::from(rows[0][day]) - 0.5 * f64::from(rows[1][day]);
        }
    }
    let plain = shop.panel();
    let knowing = plain.clone().with_occasions(rows.to_vec()).expect("a panel");
    let model = DemandModel::new(ahead).expect("a horizon");
    let sum_of = |panel: &Panel, step: usize| -> f64 {
        forecasts(panel, model, days - ahead).iter().map(|forecast| forecast.steps[step].mean).sum()
    };
    // the eve and the holiday itself, against a model that does not know of them
    let (eve, within) = (sum_of(&knowing, 1) / sum_of(&plain, 1), sum_of(&knowing, 3) / sum_of(&plain, 3));
    assert!(eve > 2.0 && eve < 3.6, "{eve}");
    assert!(within > 0.35 && within < 0.75, "{within}");
    // and the days behind it are ordinary ones
    let after = sum_of(&knowing, 6) / sum_of(&plain, 6);
    assert!((after - 1.0).abs() < 0.15, "{after}");
}

#[test]
fn occasions_are_of_the_known_days_and_between_0_and_1() {
    let panel = shop(4, 30, 1).panel();
    for (rows, word) in [
        (vec![vec![0.0; 29]], "values of a regressor"),
        (vec![vec![0.0; 30]; 17], "regressors"),
        (vec![vec![1.5; 30]], "value 1.5"),
        (vec![vec![-0.1; 30]], "value -0.1"),
        (vec![vec![f32::NAN; 30]], "value NaN"),
    ] {
        let error = panel.clone().with_occasions(rows).expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    let view = panel.clone().with_occasions(vec![vec![0.5; 30]]).expect("a panel");
    let view = view.observed(30).expect("a view");
    assert_eq!((view.calendar_regressors(), view.effects()), (1, 2));
}

#[test]
fn a_forecast_sees_nothing_behind_its_origin() {
    let mut shop = shop(120, 140, 5);
    let model = DemandModel::new(3).expect("a horizon");
    let before = forecasts(&shop.panel(), model, 120);
    shop.demand.iter_mut().for_each(|days| days[120..].iter_mut().for_each(|units| *units = 999.0));
    assert_eq!(forecasts(&shop.panel(), model, 120), before);
}

#[test]
fn every_panel_gets_sound_forecasts_or_an_error_that_names_the_case() {
    let nan = f64::NAN;
    let histories: [Vec<f64>; 7] = [
        vec![0.0; 60],
        vec![nan; 60],
        vec![1e9; 60],
        vec![7.0; 60],
        (0..60).map(|day| if day == 59 { 1e9 } else { 0.0 }).collect(),
        (0..60).map(|day| if day < 50 { nan } else { 2.0 }).collect(),
        (0..60).map(|day| f64::from(day % 2) * 1e-3).collect(),
    ];
    for days in [7, 8, 30, 60] {
        let demand: Vec<f64> = histories.iter().flat_map(|history| history[..days].to_vec()).collect();
        let labels = (0..7).map(|key| Labels { key, level: (key % 2) as u32, ..Labels::default() }).collect();
        let panel = Panel::new(labels, days, demand).expect("a panel");
        for horizon in [1, 3, 28] {
            forecasts(&panel, DemandModel::new(horizon).expect("a horizon"), days).iter().for_each(sound);
        }
    }
    assert!(matches!(Panel::new(vec![Labels::default()], 2, vec![1.0, -1.0]), Err(Error::Demand { day: 1, .. })));
    assert!(matches!(Panel::new(vec![Labels::default()], 2, vec![1.0]), Err(Error::PanelShape { .. })));
    assert!(matches!(DemandModel::new(0), Err(Error::Horizon { .. })));
    let short = Panel::new(vec![Labels::default()], 3, vec![1.0; 3]).expect("a panel");
    let refused = DemandModel::new(3).expect("a horizon").fit(short.observed(3).expect("days"));
    assert!(matches!(refused, Err(Error::TooShort { needed: 7, .. })));
}

#[test]
fn ordering_to_a_quantile_costs_less_than_the_rule() {
    let shop = shop(150, 200, 31);
    let panel = shop.panel();
    let model = DemandModel::new(3).expect("a horizon").without_trees();
    let mut run = Run { origins: (130..190).collect(), forecasts: Vec::new() };
    let fitted = model.fit(panel.observed(131).expect("days")).expect("fits");
    for origin in &run.origins {
        run.forecasts.push(fitted.forecast_in_parallel(panel.observed(origin + 1).expect("days"), &all(&panel)));
    }
    let demand: Vec<&[f64]> = (0..panel.len()).map(|series| panel.demand(series)).collect();
    let results = restock(&run, &demand, &vec![0; panel.len()], 1);
    assert_eq!(results.len(), 6);
    let cost = |profile: &str, policy: &str| {
        let found = results.iter().find(|result| result.profile == profile && result.policy == policy);
        found.expect("a result").all.cost
    };
    for profile in ["fresh", "ambient"] {
        assert!(cost(profile, "quantile") < cost(profile, "rule"), "{profile}: {results:?}");
        assert!(cost(profile, "multiple") <= cost(profile, "rule") * 1.02, "{profile}: {results:?}");
    }
}
