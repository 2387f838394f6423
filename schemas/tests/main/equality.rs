//! The typed decode accepts exactly what the schema accepts.

use linli_schemas::Topic;
use linli_schemas::json::{OTHER_TABLES, schema};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::values::{SAMPLES, decoded, edges, pointers, remove};

fn validator(text: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is a schema")
}

/// What a schema cannot say: the columns of a metric are of one length.
fn ragged(value: &Value) -> bool {
    let lengths = value["columns"].as_array().into_iter().flatten().map(|column| column.as_array().map(Vec::len));
    let lengths: Vec<_> = lengths.collect();
    lengths.windows(2).any(|pair| pair[0] != pair[1])
}

/// Whether both take it; an error where they differ.
fn judged(topic: Topic, validator: &jsonschema::Validator, value: &Value) -> Result<bool, String> {
    let text = value.to_string();
    let decoded = decoded(topic, text.as_bytes());
    let valid = validator.validate(value).map_err(|error| error.to_string());
    if decoded.is_ok() == valid.is_ok() || ragged(value) {
        return Ok(decoded.is_ok());
    }
    Err(format!("topic {}: {text}\ndecoder: {decoded:?}\nschema: {valid:?}", topic.name()))
}

/// Every place of a sample, replaced by every edge and taken out.
fn changes(sample: &Value) -> Vec<Value> {
    let edges = edges();
    let mut all = vec![sample.clone()];
    for pointer in pointers(sample) {
        let mut less = sample.clone();
        remove(&mut less, &pointer);
        all.push(less);
        for edge in &edges {
            let mut changed = sample.clone();
            *changed.pointer_mut(&pointer).expect("it points somewhere") = edge.clone();
            all.push(changed);
        }
    }
    all
}

fn samples_of(topic: Topic) -> Vec<Value> {
    let of_topic = SAMPLES.iter().filter(|(name, _)| *name == topic.name());
    of_topic.map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect()
}

#[test]
fn one_change_anywhere_is_judged_alike() {
    for topic in Topic::ALL {
        let validator = validator(schema(topic));
        let samples = samples_of(topic);
        assert!(!samples.is_empty(), "{}", topic.name());
        let (mut taken, mut refused) = (0, 0);
        for value in samples.iter().flat_map(changes) {
            match judged(topic, &validator, &value).unwrap_or_else(|difference| panic!("{difference}")) {
                true => taken += 1,
                false => refused += 1,
            }
        }
        assert!(taken > 100 && refused > 400, "{}: {taken} taken, {refused} refused", topic.name());
    }
}

/// The comparison has teeth: a schema that is a little wrong is found out.
#[test]
fn a_schema_that_differs_is_noticed() {
    for (topic, from, to) in [
        (Topic::Orders, "{1,13}", "{1,14}"),
        (Topic::Orders, "[13579][26])00", "[13579][26]|01)00|(?:19)00"),
        (Topic::Orders, "18446744073709551615", "18446744073709551614"),
        (Topic::Orders, "\"r\",\n        \"t\"", "\"r\""),
        (Topic::OrderItems, "2147483647", "2147483648"),
        (Topic::Clicks, "\"login\"", "\"log-in\""),
        (Topic::Clicks, "253402300799999", "253402300800000"),
        (Topic::DeadLetter, "[AQgw]", "[AQRgw]"),
        (Topic::Alerts, "\"resolved\"", "\"solved\""),
        (Topic::ForecastDemand, "{0,39}", "{0,40}"),
        (Topic::ForecastRestock, "\"held\"", "\"hold\""),
        (
            Topic::ForecastRestock,
            "\"minimum\": 0,\n            \"maximum\": 2147483647",
            "\"minimum\": -1,\n            \"maximum\": 2147483647",
        ),
        (Topic::ForecastAnswers, "\"refused\"", "\"denied\""),
        (Topic::MetricsGmv, "\"maxItems\": 3", "\"maxItems\": 4"),
    ] {
        let text = schema(topic);
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text, "{from}");
        let validator = validator(&wrong);
        let noticed =
            samples_of(topic).iter().flat_map(changes).any(|value| judged(topic, &validator, &value).is_err());
        assert!(noticed, "{}: {from} for {to}", topic.name());
    }
}

#[test]
fn other_tables_have_the_same_envelope() {
    let (orders, other) = (validator(schema(Topic::Orders)), validator(OTHER_TABLES));
    for (topic, text) in SAMPLES.iter().filter(|(topic, _)| topic.starts_with("shop.")) {
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert!(other.is_valid(&value), "{topic}: {text}");
        if *topic == "shop.orders" {
            assert!(orders.is_valid(&value), "{text}");
        }
    }
    assert!(
        !other.is_valid(&serde_json::json!({"op": "c", "source": {"server": "s", "ts_ms": 1}})),
        "a written row is there"
    );
}

/// One damage: where, what with, and how.
type Damage = (Index, Index, u8);

fn damaged(mut value: Value, damages: &[Damage], edges: &[Value]) -> Value {
    for (place, edge, kind) in damages {
        let pointers = pointers(&value);
        let pointer = &pointers[place.index(pointers.len())];
        let edge = &edges[edge.index(edges.len())];
        match (kind, value.pointer_mut(pointer)) {
            (0, Some(_)) => remove(&mut value, pointer),
            (1, Some(Value::Object(fields))) => drop(fields.insert("unknown".to_owned(), edge.clone())),
            (_, Some(target)) => *target = edge.clone(),
            (_, None) => {}
        }
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn many_changes_are_judged_alike(damages in proptest::collection::vec(
        proptest::collection::vec((any::<Index>(), any::<Index>(), 0..5_u8), 2..5),
        40,
    )) {
        let edges = edges();
        for topic in Topic::ALL {
            let validator = validator(schema(topic));
            for sample in samples_of(topic) {
                for damages in &damages {
                    let judged = judged(topic, &validator, &damaged(sample.clone(), damages, &edges));
                    prop_assert!(judged.is_ok(), "{}", judged.unwrap_err());
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), place in any::<Index>(), byte in any::<u8>(), cut in any::<Index>()) {
        for (name, text) in SAMPLES {
            let Some(topic) = Topic::from_name(name) else { continue };
            let _ = decoded(topic, &bytes);
            let mut changed = text.as_bytes().to_vec();
            let at = place.index(changed.len());
            changed[at] = byte;
            let _ = decoded(topic, &changed);
            let _ = decoded(topic, &text.as_bytes()[..cut.index(text.len())]);
        }
    }
}
