//! A panel from files: `series.csv`, `sales.csv`, and where there are any `calendar.csv` and `promo_weekly.csv` (each also `.gz`).

use std::collections::HashMap;

use chrono::Datelike;
use linli_forecasting::{Labels, Panel};
use xxhash_rust::xxh3::xxh3_64;

use super::csv::{CsvFile, DAYS_MAX};
use super::folder::Folder;
use crate::failure::{Failure, Kind, Outcome};

/// A panel with the names of its series.
pub struct Files {
    pub panel: Panel,
    pub series: Vec<Named>,
}

/// A series as its file names it.
pub struct Named {
    pub id: String,
    pub level: String,
    /// Whether it is scored.
    pub scored: bool,
}

/// Reads the files of a directory.
pub fn read(dir: &Folder) -> Outcome<Files> {
    let (series, labels) = read_series(dir)?;
    let places: HashMap<&str, usize> = series.iter().enumerate().map(|(at, named)| (named.id.as_str(), at)).collect();
    let calendar = read_calendar(dir)?;
    let sales = read_sales(dir, &places)?;
    let last = sales.iter().map(|sale| sale.day + 1).max().unwrap_or(0);
    let days = calendar.as_ref().map_or(last, |calendar| calendar.weeks.len());
    if last > days || days == 0 || days > DAYS_MAX {
        return Err(Failure::new(Kind::Input, format!("sales end on day {last}, the calendar has {days} days"))
            .hint("days are numbered from 0; calendar.csv has one line for each, at most ten years"));
    }
    let mut demand = vec![0.0; series.len() * days];
    for sale in &sales {
        demand[sale.series * days + sale.day] += sale.units;
    }
    let mut panel = Panel::new(labels, days, demand)?;
    if let Some(calendar) = calendar {
        let promotions = read_promotions(dir, &places, series.len(), &calendar.weeks)?;
        panel = panel.with_regressors(days, promotions, calendar.regressors)?;
    }
    Ok(Files { panel, series })
}

fn required(dir: &Folder, name: &str) -> Outcome<CsvFile> {
    dir.find(name)?.ok_or_else(|| {
        Failure::new(Kind::Input, format!("{} holds neither {name} nor {name}.gz", dir.name()))
            .hint("a panel is series.csv and sales.csv, with calendar.csv and promo_weekly.csv where there are any")
    })
}

fn read_series(dir: &Folder) -> Outcome<(Vec<Named>, Vec<Labels>)> {
    let mut file = required(dir, "series.csv")?;
    let id = file.column("series_id")?;
    let [level, community, sku, department, category] =
        ["level", "community", "sku", "department", "category"].map(|name| file.optional_column(name));
    let eval = file.optional_column("eval");
    // Labels are hashes of names: equal for equal names, in any file and order.
    let hash = |text: &str| xxh3_64(text.as_bytes());
    let (mut series, mut labels) = (Vec::new(), Vec::new());
    while let Some(row) = file.next_row()? {
        let label = |column: Option<usize>| column.map_or(0, |column| hash(&row[column]) as u32);
        labels.push(Labels {
            key: hash(&row[id]),
            level: label(level),
            department: label(department),
            category: label(category),
            product: label(sku),
            place: label(community),
        });
        series.push(Named {
            id: row[id].clone(),
            level: level.map_or_else(String::new, |column| row[column].clone()),
            scored: eval.is_none_or(|column| row[column] == "1"),
        });
    }
    Ok((series, labels))
}

struct Sale {
    series: usize,
    day: usize,
    units: f64,
}

fn read_sales(dir: &Folder, places: &HashMap<&str, usize>) -> Outcome<Vec<Sale>> {
    let mut file = required(dir, "sales.csv")?;
    let (id, day, units) = (file.column("series_id")?, file.column("day")?, file.column("units")?);
    let mut sales = Vec::new();
    while let Some(row) = file.next_row()? {
        let Some(series) = places.get(row[id].as_str()) else {
            return Err(file.wrong(&format!("series {} is not in series.csv", row[id])));
        };
        let day = file.day(&row, day)?;
        // An empty field is a day on which the goods were sold out.
        let units = file.units(&row, units)?;
        sales.push(Sale { series: *series, day, units });
    }
    Ok(sales)
}

struct Calendar {
    /// The week that each day belongs to.
    weeks: Vec<usize>,
    /// Holidays; where the file has dates, the day of the month: pay days are common to all; and every column `x_…`, such as
    /// days to a feast of the lunar calendar.
    regressors: Vec<Vec<f32>>,
}

fn read_calendar(dir: &Folder) -> Outcome<Option<Calendar>> {
    let Some(mut file) = dir.find("calendar.csv")? else { return Ok(None) };
    let (day, week, holiday) = (file.column("day")?, file.column("week")?, file.optional_column("holiday"));
    let date = file.optional_column("date");
    let others: Vec<usize> = (0..file.header().len()).filter(|at| file.header()[*at].starts_with("x_")).collect();
    let mut known: Vec<Vec<f32>> = vec![Vec::new(); others.len()];
    let (mut weeks, mut holidays, mut days_of_month) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(row) = file.next_row()? {
        let day: usize = file.number(&row, day)?;
        if day != weeks.len() {
            return Err(file.wrong(&format!("day {day} stands where day {} is due", weeks.len())));
        }
        weeks.push(file.number(&row, week)?);
        holidays.push(holiday.map_or(0.0, |column| f32::from(u8::from(!row[column].is_empty()))));
        if let Some(column) = date {
            let date: chrono::NaiveDate = file.number(&row, column)?;
            days_of_month.push(date.day() as f32);
        }
        for (values, column) in known.iter_mut().zip(&others) {
            values.push(file.number(&row, *column)?);
        }
    }
    let mut regressors = vec![holidays];
    regressors.extend(date.is_some().then_some(days_of_month));
    regressors.extend(known);
    Ok(Some(Calendar { weeks, regressors }))
}

/// One table for every column behind the first two, from weeks to days.
fn read_promotions(
    dir: &Folder,
    places: &HashMap<&str, usize>,
    series: usize,
    weeks: &[usize],
) -> Outcome<Vec<Vec<f32>>> {
    let Some(mut file) = dir.find("promo_weekly.csv")? else { return Ok(Vec::new()) };
    let (id, week) = (file.column("series_id")?, file.column("week")?);
    let columns: Vec<usize> = (0..file.header().len()).filter(|column| *column != id && *column != week).collect();
    let mut days_of_week: HashMap<usize, Vec<usize>> = HashMap::new();
    for (day, week) in weeks.iter().enumerate() {
        days_of_week.entry(*week).or_default().push(day);
    }
    let mut tables = vec![vec![0.0; series * weeks.len()]; columns.len()];
    while let Some(row) = file.next_row()? {
        let Some(at) = places.get(row[id].as_str()) else {
            return Err(file.wrong(&format!("series {} is not in series.csv", row[id])));
        };
        let week: usize = file.number(&row, week)?;
        for (table, column) in tables.iter_mut().zip(&columns) {
            let value: f32 = file.number(&row, *column)?;
            for day in days_of_week.get(&week).into_iter().flatten() {
                table[at * weeks.len() + day] = value;
            }
        }
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn panel_of(files: &[(&str, &str)]) -> Outcome<Files> {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("written");
        }
        read(&Folder::of(dir.path()))
    }

    const SERIES: &str = "series_id,level,sku,eval\na,shop,\"PEARS, RED\",1\nb,shop,PEARS,0\n";
    const CALENDAR: &str = "day,date,week,holiday\n0,2026-11-30,1,\n1,2026-12-01,1,Fair\n2,2026-12-02,2,\n";

    #[test]
    fn days_without_a_line_sold_nothing_and_empty_units_are_sold_out() {
        let files = panel_of(&[
            ("series.csv", SERIES),
            ("sales.csv", "series_id,day,units\na,1,4\nb,0,\nb,2,1.5\n"),
            ("calendar.csv", CALENDAR),
            ("promo_weekly.csv", "series_id,week,display\nb,2,3\n"),
        ])
        .expect("a panel");
        assert_eq!(files.panel.demand(0), [0.0, 4.0, 0.0]);
        assert!(files.panel.demand(1)[0].is_nan() && files.panel.demand(1)[1..] == [0.0, 1.5]);
        assert_eq!((files.series[0].scored, files.series[1].scored), (true, false));
        let view = files.panel.observed(2).expect("two days");
        assert_eq!(view.own(0, 1), [0.0, 0.0, 3.0_f32.asinh()]);
        assert_eq!((view.calendar(0), view.calendar(1)), (&[0.0, 1.0, 0.0][..], &[30.0, 1.0, 2.0][..]));
    }

    #[test]
    fn columns_of_the_calendar_that_are_named_so_are_known_ahead() {
        let calendar = "day,week,holiday,name,x_to_feast\n0,1,,a,2\n1,1,Fair,b,1\n2,2,,c,0.5\n";
        let files = [("series.csv", SERIES), ("sales.csv", "series_id,day,units\na,1,4\n")];
        let panel = panel_of(&[&files[..], &[("calendar.csv", calendar)]].concat()).expect("a panel").panel;
        let view = panel.observed(2).expect("two days");
        assert_eq!(view.calendar(1), [2.0, 1.0, 0.5]);
        let wrong = calendar.replace("0.5", "soon");
        let failure = panel_of(&[&files[..], &[("calendar.csv", wrong.as_str())]].concat()).err().expect("refused");
        assert!(failure.message.contains("line 4: \"soon\" in column x_to_feast is no number"), "{}", failure.message);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let message = |files: &[(&str, &str)]| panel_of(files).err().expect("refused").message;
        assert!(message(&[]).contains("holds neither series.csv nor series.csv.gz"));
        let unknown = message(&[("series.csv", SERIES), ("sales.csv", "series_id,day,units\nc,1,4\n")]);
        assert!(unknown.contains("sales.csv, line 2: series c is not in series.csv"), "{unknown}");
        let text = message(&[("series.csv", SERIES), ("sales.csv", "series_id,day,units\na,x,4\n")]);
        assert!(text.contains("line 2: \"x\" in column day is no number"), "{text}");
        let late = [("series.csv", SERIES), ("sales.csv", "series_id,day,units\na,3,4\n"), ("calendar.csv", CALENDAR)];
        assert!(message(&late).contains("sales end on day 4, the calendar has 3 days"));
        let returned = [("series.csv", SERIES), ("sales.csv", "series_id,day,units\na,1,-4\n")];
        assert!(message(&returned).contains("demand -4"));
    }
}
