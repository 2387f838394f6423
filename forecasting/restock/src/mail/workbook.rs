//! The order as a workbook: a sheet of lines, and a summary with charts.

use chrono::{Datelike, NaiveDate};
use linli_schemas::zone::Zone;
use rust_xlsxwriter::{
    Chart, ChartFormat, ChartSolidFill, ChartType, Color, DocProperties, ExcelDateTime, Format, FormatAlign,
    FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::address::one_line;
use super::order::{Language, OrderLine, SupplierOrder};
use super::texts::Text;
use super::{Error, instant_text};

/// Characters that a cell holds; more is cut.
const CELL_CHARS_MAX: usize = 32_767;
const ITEMS_CHARTED: usize = 15;
const A4: u8 = 9;
const HEADER_FILL: Color = Color::RGB(0x1F_4E_79);
const BAR_FILL: Color = Color::RGB(0x2E_75_B6);

/// The columns of the sheet of lines: heading and width in characters.
const COLUMNS: [(Text, f64); 12] = [
    (Text::YourCode, 16.0),
    (Text::OurSku, 14.0),
    (Text::Item, 30.0),
    (Text::Spec, 14.0),
    (Text::DeliverTo, 18.0),
    (Text::ForCommunity, 18.0),
    (Text::NeededBy, 13.0),
    (Text::PackSize, 11.0),
    (Text::Packs, 9.0),
    (Text::Pieces, 10.0),
    (Text::UnitCost, 13.0),
    (Text::Amount, 15.0),
];

/// An .xlsx file; the same bytes for the same order. Text is never read as a formula, whatever it begins with.
pub fn workbook(order: &SupplierOrder, zone: Zone) -> Result<Vec<u8>, Error> {
    build(order, zone).map_err(|source| Error::Workbook { supplier_id: order.supplier_id, source })
}

fn build(order: &SupplierOrder, zone: Zone) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Not the time of writing: a file that is made again is the same file.
    let title = format!("{} {}", Text::FileName.get(order.language), order.business_date);
    let properties = DocProperties::new().set_title(title).set_creation_datetime(&excel_date(order.business_date)?);
    workbook.set_properties(&properties);
    let formats = Formats::new();
    lines(workbook.add_worksheet(), order, &formats)?;
    summary(workbook.add_worksheet(), order, zone, &formats)?;
    workbook.save_to_buffer()
}

struct Formats {
    header: Format,
    label: Format,
    text: Format,
    /// For text that begins like a formula: it stays text when the cell is edited.
    quoted: Format,
    date: Format,
    whole: Format,
    packs: Format,
    money: Format,
    total: Format,
    total_money: Format,
}

impl Formats {
    fn new() -> Formats {
        let cell = || Format::new().set_align(FormatAlign::VerticalCenter);
        let bold = || cell().set_bold().set_border_top(FormatBorder::Thin);
        Formats {
            header: cell()
                .set_bold()
                .set_text_wrap()
                .set_font_color(Color::White)
                .set_background_color(HEADER_FILL)
                .set_align(FormatAlign::Center),
            label: cell().set_bold(),
            text: cell(),
            quoted: cell().set_quote_prefix(),
            date: cell().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left),
            whole: cell().set_num_format("#,##0").set_align(FormatAlign::Right),
            packs: cell().set_num_format("#,##0.##").set_align(FormatAlign::Right),
            money: cell().set_num_format("#,##0.00").set_align(FormatAlign::Right),
            total: bold().set_num_format("#,##0"),
            total_money: bold().set_num_format("#,##0.00"),
        }
    }
}

fn lines(sheet: &mut Worksheet, order: &SupplierOrder, formats: &Formats) -> Result<(), XlsxError> {
    let language = order.language;
    sheet.set_name(Text::OrderSheet.get(language))?;
    for (column, (heading, width)) in (0..).zip(COLUMNS) {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, heading.get(language), &formats.header)?;
    }
    sheet.set_row_height(0, 30)?;
    sheet.set_freeze_panes(1, 0)?;
    for (row, line) in (1..).zip(&order.lines) {
        write_line(sheet, row, line, language, formats)?;
    }
    let last = u32::try_from(order.lines.len()).unwrap_or(u32::MAX);
    let last_column = COLUMNS.len() as u16 - 1;
    sheet.autofilter(0, 0, last, last_column)?;
    let total = last + 1;
    sheet.write_string_with_format(total, 0, Text::Total.get(language), &formats.total)?;
    for column in 1..=last_column {
        sheet.write_blank(total, column, &formats.total)?;
    }
    sheet.write_number_with_format(total, 9, order.pieces() as f64, &formats.total)?;
    sheet.write_number_with_format(total, 11, from_fen(order.amount_fen()), &formats.total_money)?;
    sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    sheet.set_print_area(0, 0, total, last_column)?;
    sheet.set_footer(format!("&L{}&R{}", order.run, Text::PageOf.get(language)));
    Ok(())
}

fn write_line(
    sheet: &mut Worksheet,
    row: u32,
    line: &OrderLine,
    language: Language,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let community = if line.community_id == 0 { "" } else { line.community.in_language(language) };
    // Ids are text: a number of a sheet is exact to 15 digits.
    let texts = [
        line.supplier_code.as_str(),
        &line.sku_id.to_string(),
        line.title.in_language(language),
        &line.spec,
        line.warehouse.in_language(language),
        community,
    ];
    for (column, text) in (0..).zip(texts) {
        write_text(sheet, row, column, text, formats)?;
    }
    sheet.write_datetime_with_format(row, 6, excel_date(line.needed_by)?, &formats.date)?;
    sheet.write_number_with_format(row, 7, line.pack as f64, &formats.whole)?;
    if line.is_whole_packs() {
        sheet.write_number_with_format(row, 8, line.packs() as f64, &formats.whole)?;
    } else {
        sheet.write_number_with_format(row, 8, line.quantity as f64 / line.pack as f64, &formats.packs)?;
    }
    sheet.write_number_with_format(row, 9, line.quantity as f64, &formats.whole)?;
    if let (Some(cost), Some(amount)) = (line.cost_fen, line.amount_fen()) {
        sheet.write_number_with_format(row, 10, from_fen(cost), &formats.money)?;
        sheet.write_number_with_format(row, 11, from_fen(amount), &formats.money)?;
    }
    Ok(())
}

fn write_text(sheet: &mut Worksheet, row: u32, column: u16, text: &str, formats: &Formats) -> Result<(), XlsxError> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(CELL_CHARS_MAX).collect();
    let formula_like = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    sheet.write_string_with_format(row, column, text, if formula_like { &formats.quoted } else { &formats.text })?;
    Ok(())
}

fn summary(sheet: &mut Worksheet, order: &SupplierOrder, zone: Zone, formats: &Formats) -> Result<(), XlsxError> {
    let language = order.language;
    let name = Text::SummarySheet.get(language);
    sheet.set_name(name)?;
    for (column, width) in [(0, 34.0), (1, 16.0), (2, 12.0), (3, 16.0)] {
        sheet.set_column_width(column, width)?;
    }
    let facts = [
        (Text::Supplier, order.name.in_language(language).to_owned()),
        (Text::Number, order.run.to_string()),
        (Text::AnswerBy, instant_text(order.must_order_by, zone)),
    ];
    for (row, (label, value)) in (0..).zip(facts) {
        sheet.write_string_with_format(row, 0, label.get(language), &formats.label)?;
        write_text(sheet, row, 1, &one_line(&value), formats)?;
    }
    sheet.write_string_with_format(3, 0, Text::OrderDate.get(language), &formats.label)?;
    sheet.write_datetime_with_format(3, 1, excel_date(order.business_date)?, &formats.date)?;
    let numbers = [(Text::Lines, order.lines.len() as i64), (Text::Pieces, order.pieces())];
    for (row, (label, value)) in (4..).zip(numbers) {
        sheet.write_string_with_format(row, 0, label.get(language), &formats.label)?;
        sheet.write_number_with_format(row, 1, value as f64, &formats.whole)?;
    }
    sheet.write_string_with_format(6, 0, Text::Amount.get(language), &formats.label)?;
    sheet.write_number_with_format(6, 1, from_fen(order.amount_fen()), &formats.money)?;

    let next = days(sheet, 8, order, formats)?;
    items(sheet, next + 1, order, formats)?;
    sheet.set_portrait().set_paper_size(A4).set_print_fit_to_pages(1, 0);
    Ok(())
}

/// The table of days at `row`, with its chart at the right; the row behind it.
fn days(sheet: &mut Worksheet, row: u32, order: &SupplierOrder, formats: &Formats) -> Result<u32, XlsxError> {
    let language = order.language;
    for (column, heading) in (0..).zip([Text::NeededBy, Text::Lines, Text::Pieces, Text::Amount]) {
        sheet.write_string_with_format(row, column, heading.get(language), &formats.header)?;
    }
    let mut next = row + 1;
    for (date, lines, pieces, fen) in order.by_day() {
        sheet.write_datetime_with_format(next, 0, excel_date(date)?, &formats.date)?;
        sheet.write_number_with_format(next, 1, lines as f64, &formats.whole)?;
        sheet.write_number_with_format(next, 2, pieces as f64, &formats.whole)?;
        sheet.write_number_with_format(next, 3, from_fen(fen), &formats.money)?;
        next += 1;
    }
    let chart = chart(ChartType::Column, Text::PiecesOfDay, language, (row + 1, next - 1), 2);
    sheet.insert_chart(0, 5, &chart)?;
    Ok(next)
}

/// The items wanted most, with their chart at the right, below that of the days.
fn items(sheet: &mut Worksheet, row: u32, order: &SupplierOrder, formats: &Formats) -> Result<(), XlsxError> {
    let language = order.language;
    for (column, heading) in (0..).zip([Text::TopItems, Text::Pieces]) {
        sheet.write_string_with_format(row, column, heading.get(language), &formats.header)?;
    }
    let mut next = row + 1;
    for (line, pieces) in order.by_item().into_iter().take(ITEMS_CHARTED) {
        write_text(sheet, next, 0, &item_name(line, language), formats)?;
        sheet.write_number_with_format(next, 1, pieces as f64, &formats.whole)?;
        next += 1;
    }
    let mut chart = chart(ChartType::Bar, Text::TopItems, language, (row + 1, next - 1), 1);
    // The first row at the top.
    chart.y_axis().set_reverse();
    sheet.insert_chart(16, 5, &chart)?;
    Ok(())
}

fn chart(kind: ChartType, title: Text, language: Language, rows: (u32, u32), values: u16) -> Chart {
    let sheet = Text::SummarySheet.get(language);
    let mut chart = Chart::new(kind);
    let mut bars = ChartFormat::new();
    bars.set_solid_fill(ChartSolidFill::new().set_color(BAR_FILL));
    chart
        .add_series()
        .set_categories((sheet, rows.0, 0, rows.1, 0))
        .set_values((sheet, rows.0, values, rows.1, values))
        .set_name(title.get(language))
        .set_format(&mut bars)
        .set_gap(60);
    chart.title().set_name(title.get(language));
    chart.legend().set_hidden();
    chart.set_width(560).set_height(300);
    chart
}

/// Title and specification on one line; the specification once, also where the title says it.
pub(crate) fn item_name(line: &OrderLine, language: Language) -> String {
    let title = line.title.in_language(language);
    if title.ends_with(&line.spec) { one_line(title) } else { one_line(&format!("{title} {}", line.spec)) }
}

fn excel_date(date: NaiveDate) -> Result<ExcelDateTime, XlsxError> {
    let year = u16::try_from(date.year()).unwrap_or(0);
    ExcelDateTime::from_ymd(year, date.month() as u8, date.day() as u8)
}

/// Yuan for a cell: fen below 2⁵³ give the number nearest to the decimal.
fn from_fen(fen: i64) -> f64 {
    fen as f64 / 100.0
}
