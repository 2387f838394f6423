//! The warehouse's live view as the page's source.

use async_trait::async_trait;
use linli_schemas::{CategoryId, Money, SkuId};
use linli_warehouse::live::{self, LiveQuery, LiveSnapshot, LiveView, MinutePoint};

use crate::source::{
    LiveSource, Minute, Names, SkuName, Snapshot, SourceError, Top, TopRow, TopScope, TopWindow, Totals, View,
};

#[async_trait]
impl LiveSource for LiveView {
    async fn names(&self) -> Result<Names, SourceError> {
        let mut known = self.known().await.map_err(|error| SourceError::new("names", error))?;
        let (communities, categories) = (&mut known.community_names, &mut known.category_names);
        let sku_names = &mut known.sku_names;
        let mut sku = |id: SkuId, category: CategoryId| {
            (id, SkuName { name: sku_names.remove(&id), category: (category.0 != 0).then_some(category) })
        };
        Ok(Names {
            communities: known.communities.into_iter().map(|id| (id, communities.remove(&id))).collect(),
            categories: known.categories.into_iter().map(|id| (id, categories.remove(&id))).collect(),
            skus: known.skus.into_iter().map(|(id, category)| sku(id, category)).collect(),
        })
    }

    async fn snapshot(&self, view: View) -> Result<Snapshot, SourceError> {
        let query = query_of(view);
        let asked = async |query: &LiveQuery| {
            LiveView::snapshot(self, query).await.map_err(|error| SourceError::new("snapshot", error))
        };
        let answer = asked(&query).await?;
        let minutes = match view.community {
            None => answer.by_minute.iter().map(minute).collect(),
            Some(_) => {
                let shop = asked(&LiveQuery { community: None, ..query }).await?;
                with_zeros(&answer.by_minute, &shop.by_minute)
            }
        };
        Ok(snapshot_of(answer, minutes))
    }
}

fn query_of(view: View) -> LiveQuery {
    LiveQuery {
        community: view.community,
        top_window: match view.top.window {
            TopWindow::Day => live::TopWindow::Today,
            TopWindow::Hour => live::TopWindow::LastHour,
        },
        top_scope: match view.top.scope {
            TopScope::All => live::TopScope::All,
            TopScope::Category(id) => live::TopScope::Category(id),
            TopScope::Community(id) => live::TopScope::Community(id),
        },
        at: None,
    }
}

fn minute(point: &MinutePoint) -> Minute {
    Minute { start: point.minute, gmv: point.gmv, orders: point.orders }
}

/// A community's minutes: where the shop sold and the community did not, it is known to have sold nothing.
fn with_zeros(community: &[MinutePoint], shop: &[MinutePoint]) -> Vec<Minute> {
    let mut sold = community.iter().peekable();
    let mut minutes = Vec::with_capacity(shop.len());
    for known in shop {
        while sold.peek().is_some_and(|point| point.minute < known.minute) {
            minutes.extend(sold.next().map(minute));
        }
        match sold.next_if(|point| point.minute == known.minute) {
            Some(point) => minutes.push(minute(point)),
            None => minutes.push(Minute { start: known.minute, gmv: Money(0), orders: 0 }),
        }
    }
    minutes.extend(sold.map(minute));
    minutes
}

fn snapshot_of(answer: LiveSnapshot, minutes: Vec<Minute>) -> Snapshot {
    Snapshot {
        day_start: answer.day_start,
        day_end: answer.day_end,
        as_of: answer.as_of,
        totals: Totals { gmv: answer.gmv, orders: answer.orders, buyers: answer.buyers, active_users: answer.uv },
        minutes,
        top: Top {
            window_start: answer.top_start,
            window_end: answer.top_end,
            rows: answer.top.iter().map(|entry| TopRow { sku: entry.sku_id, qty: entry.quantity }).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linli_schemas::EventTime;

    fn points(minutes: &[i64]) -> Vec<MinutePoint> {
        minutes.iter().map(|m| MinutePoint { minute: EventTime(*m), gmv: Money(100), orders: 1 }).collect()
    }

    #[test]
    fn a_community_has_zeros_where_the_shop_sold_and_gaps_where_nothing_is_known() {
        let merged = with_zeros(&points(&[2, 9]), &points(&[1, 2, 5]));
        let read: Vec<(i64, i64)> = merged.iter().map(|m| (m.start.0, m.orders)).collect();
        assert_eq!(read, [(1, 0), (2, 1), (5, 0), (9, 1)]);
        assert!(with_zeros(&[], &[]).is_empty());
    }
}
