//! Every text that a supplier reads, in both languages: in the mail, its file and the page behind its link.

use super::order::Language;

/// One table, so that a text cannot be in one language alone.
macro_rules! texts {
    ($($key:ident: $zh:literal, $en:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Text { $($key),* }

        impl Text {
            #[cfg(test)]
            const ALL: &'static [Text] = &[$(Text::$key),*];

            pub(crate) fn get(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Text::$key, Language::Zh) => $zh, (Text::$key, Language::En) => $en,)*
                }
            }
        }
    };
}

texts! {
    Subject: "订货单 {date}：{lines} 行，请于 {by} 前确认", "Order of {date}: {lines} lines, please confirm by {by}";
    ReminderSubject: "提醒：订货单 {date} 尚未确认，截止 {by}", "Reminder: order of {date} is not confirmed yet, due {by}";
    Greeting: "{name}，您好！", "Dear {name},";
    Intro: "附件是 {date} 的订货明细，请按要求的日期送货。", "Please find our order of {date} attached, with the day on which each line is needed.";
    ReminderIntro: "我们还没有收到您对 {date} 订货单的答复，请尽快确认。", "We have no answer yet to our order of {date}. Please confirm it.";
    WithdrawalSubject: "作废：订货单 {date}，请勿送货", "Withdrawn: order of {date}, please do not deliver";
    WithdrawalIntro: "我们 {date} 的订货单（编号 {run}）已作废，请勿按其送货。如您收到同日其他编号的订货单，以该订货单为准。", "Our order of {date}, number {run}, is withdrawn: please do not deliver it. If you have one of that day with another number, that one holds.";
    ConfirmBy: "请在 {by} 之前确认每一行：接受、修改数量或拒绝。", "Please accept, change or refuse every line by {by}.";
    OpenLink: "打开确认页面", "Answer on the web";
    LinkIsYours: "此链接只供贵方使用，请勿转发。", "The link is for you alone: please do not pass it on.";
    NoLink: "请直接回复本邮件。", "Please answer by replying to this mail.";
    AutomaticMail: "本邮件由系统自动发送，编号 {run}。", "This mail was sent automatically, number {run}.";
    TopItems: "数量最多的商品（件）", "Items by pieces";
    MoreLines: "……其余 {lines} 行见附件。", "… and {lines} more lines in the attached file.";
    OrderSheet: "订货明细", "Order";
    SummarySheet: "汇总", "Summary";
    FileName: "订货单", "order";
    Supplier: "供应商", "Supplier";
    Number: "编号", "Number";
    OrderDate: "订货日期", "Order date";
    AnswerBy: "确认截止", "Confirm by";
    Lines: "行数", "Lines";
    Pieces: "数量", "Pieces";
    Packs: "箱数", "Packs";
    PackSize: "每箱数量", "Pieces a pack";
    Amount: "金额（元）", "Amount (CNY)";
    UnitCost: "单价（元）", "Unit cost (CNY)";
    YourCode: "贵方编码", "Your code";
    OurSku: "我方编码", "Our SKU";
    Item: "商品", "Item";
    Spec: "规格", "Specification";
    DeliverTo: "送货仓库", "Deliver to";
    ForCommunity: "小区", "For community";
    NeededBy: "要求到货", "Needed by";
    Total: "合计", "Total";
    PageOf: "第 &P 页，共 &N 页", "Page &P of &N";
    PiecesOfDay: "每日到货数量", "Pieces by day";
    PageTitle: "订货单 {date}", "Order of {date}";
    PageIntro: "{name}：请在 {by} 之前答复每一行。在此之前可以随时修改。", "{name}: please answer every line by {by}. You can change your answers until then.";
    PageClosed: "答复已于 {by} 截止，以下内容只能查看。", "Answers were taken until {by}. What follows can only be read.";
    Progress: "已答复 {done} / {lines} 行", "{done} of {lines} lines are answered";
    Accept: "接受", "Accept";
    Change: "修改数量", "Change";
    Refuse: "拒绝", "Refuse";
    PacksWanted: "可供箱数（每箱 {pack} 件，最多 {most} 箱）", "Packs you can deliver ({pack} pieces each, {most} at most)";
    Note: "备注", "Note";
    Ordered: "订货", "Ordered";
    PacksOf: "{packs} 箱 × {pack} 件 = {pieces} 件", "{packs} packs × {pack} pieces = {pieces} pieces";
    Save: "保存本页答复", "Save the answers of this page";
    AcceptRest: "接受其余所有未答复的行", "Accept all lines without an answer";
    Saved: "已保存，谢谢！", "Saved. Thank you!";
    Unanswered: "未答复", "No answer yet";
    Answered: "您的答复：{answer}，{pieces} 件", "Your answer: {answer}, {pieces} pieces";
    PagePlace: "第 {page} / {pages} 页", "Page {page} of {pages}";
    Previous: "上一页", "Previous page";
    Next: "下一页", "Next page";
    WrongPacks: "请输入 0 到 {most} 之间的整箱数。", "Please give a whole number of packs, 0 to {most}.";
    LongNote: "备注最多 {most} 个字。", "A note has {most} characters at most.";
    MissingPacks: "修改数量时请输入箱数。", "Please give the number of packs.";
    NotSaved: "未保存：请更正标出的行。", "Not saved: please correct the lines that are marked.";
    ChangedMeanwhile: "未保存：标出的行刚刚在别处已答复，请核对后再保存。", "Not saved: the lines that are marked were answered elsewhere just now. Please check them and save again.";
    TooLate: "未保存：答复已于 {by} 截止。", "Not saved: answers were taken until {by}.";
    ForgedTitle: "链接无效", "This link is not valid";
    ForgedBody: "请使用邮件中完整的链接。", "Please use the whole link of the mail.";
    ExpiredTitle: "链接已过期", "This link has expired";
    ExpiredBody: "如有疑问，请直接回复邮件。", "If you have a question, please reply to the mail.";
    UnknownTitle: "没有找到订货单", "There is no such order";
    UnknownBody: "该订货单不存在或已删除，请直接回复邮件。", "The order is not there or was removed. Please reply to the mail.";
    WithdrawnTitle: "订货单已作废", "The order is withdrawn";
    WithdrawnBody: "请勿按此订货单送货。如您收到同日其他编号的订货单，请以该订货单为准。", "Please do not deliver it. If you have an order of that day with another number, that one holds.";
    BadFormTitle: "无法读取表单", "The form cannot be read";
    BadFormBody: "请重新打开邮件中的链接再试一次。", "Please open the link of the mail and try again.";
    AwayTitle: "暂时无法处理", "This does not work at the moment";
    AwayBody: "您的答复没有保存，请几分钟后再试。", "Your answers were not saved. Please try again in a few minutes.";
}

impl Text {
    /// The text with each `{key}` replaced; what is put in is not looked at again.
    pub(crate) fn with(self, language: Language, values: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut rest = self.get(language);
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((key, behind)) = after.split_once('}') else { break };
            text.push_str(values.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value));
            rest = behind;
        }
        text + rest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(key, _)| key)).collect()
    }

    #[test]
    fn both_languages_hold_every_text_with_the_same_places() {
        for text in Text::ALL {
            let (zh, en) = (text.get(Language::Zh), text.get(Language::En));
            assert!(!zh.is_empty() && !en.is_empty(), "{text:?}");
            assert_eq!(keys(zh), keys(en), "{text:?}");
            assert!(zh.chars().any(|c| c > '\u{2e80}'), "{text:?} is not Chinese: {zh}");
            assert!(en.chars().all(|c| c < '\u{2e80}'), "{text:?} is not English: {en}");
        }
    }

    #[test]
    fn what_is_put_in_is_not_replaced_again() {
        let text = Text::Greeting.with(Language::En, &[("name", "{run} {name}")]);
        assert_eq!(text, "Dear {run} {name},");
    }
}
