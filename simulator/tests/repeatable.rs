use linli_simulator::records::Records;
use linli_simulator::{Position, Shop};

use super::{first_days, options, shop};

/// A hash of everything that would be appended.
fn print_of(shop: &Shop, days: i32) -> u64 {
    let records = Records::new(shop.options().zone, 8);
    let mut out = Vec::new();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for change in first_days(shop, days) {
        records.write(&change, &mut out);
        for record in out.drain(..) {
            let bytes =
                record.topic.bytes().chain(record.key.to_vec()).chain(record.value.unwrap_or_default().to_vec());
            for byte in bytes {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
    }
    hash
}

#[test]
fn the_same_seed_has_the_same_history_and_another_has_not() {
    assert_eq!(print_of(&shop(7), 2), print_of(&shop(7), 2));
    assert_ne!(print_of(&shop(7), 1), print_of(&shop(8), 1));
}

#[test]
fn a_stream_taken_up_anywhere_goes_on_as_if_uninterrupted() {
    let shop = shop(3);
    let whole = first_days(&shop, 4);
    let boundaries = whole.windows(2).enumerate().filter(|(_, w)| w[0].position.day != w[1].position.day);
    let places: Vec<usize> =
        boundaries.flat_map(|(i, _)| [i, i + 1, i + 2]).chain((0..whole.len()).step_by(whole.len() / 23)).collect();
    for place in places {
        let again: Vec<_> = shop.changes(whole[place].position).take(400.min(whole.len() - place)).collect();
        assert!(again == whole[place..place + again.len()], "taken up at change {place}, {:?}", whole[place].position);
    }
}

#[test]
fn a_position_before_the_opening_is_the_opening() {
    let shop = shop(3);
    let mut early = shop.changes(Position { day: 0, index: 5 });
    assert_eq!(early.position(), shop.start());
    assert_eq!(early.next(), shop.changes(shop.start()).next());
}

#[test]
fn options_that_make_no_shop_are_refused_by_name() {
    let error = Shop::new(linli_simulator::ShopOptions { skus: 3, ..options(1) }).expect_err("too few");
    assert_eq!(error.to_string(), "option \"skus\" of the simulated shop is 3; it must be between 20 and 20000");
}
