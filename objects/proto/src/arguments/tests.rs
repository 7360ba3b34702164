//! Arguments that fit, that do not, and that were never arguments.

use proptest::prelude::*;
use serde::Serialize;
use std::string::ToString;

use super::*;

static MOVE: Method = Method::new("move_to", true, false, &["x", "label"]);

fn encoded(x: i64, label: Option<&str>) -> Bytes {
    let mut encoder = Encoder::new(&MOVE);
    encoder.value(passer(), "x", &x);
    encoder.value(passer(), "label", &label.map(ToString::to_string));
    encoder.finish().unwrap()
}

fn frame(arguments: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = alloc::vec![arguments.len() as u8];
    for (name, value) in arguments {
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

fn problem(codec: Codec, bytes: &[u8]) -> String {
    let taken = Arguments::open(&MOVE, codec, bytes).and_then(|mut arguments| {
        arguments.take(passer::<i64>(), 0)?;
        arguments.take(passer::<Option<String>>(), 1)
    });
    taken.unwrap_err().to_string()
}

#[test]
fn arguments_survive_and_need_no_order() {
    let bytes = encoded(-3, Some("home"));
    let mut arguments = Arguments::open(&MOVE, Codec::Cbor, &bytes).unwrap();
    assert_eq!(
        arguments.take(passer::<Option<String>>(), 1),
        Ok(Some(String::from("home")))
    );
    assert_eq!(arguments.take(passer::<i64>(), 0), Ok(-3));

    let swapped = frame(&[("label", &[0xf6]), ("x", &[7])]);
    let mut arguments = Arguments::open(&MOVE, Codec::Cbor, &swapped).unwrap();
    assert_eq!(arguments.take(passer::<i64>(), 0), Ok(7));
    assert_eq!(arguments.take(passer::<Option<String>>(), 1), Ok(None));
}

#[test]
fn altered_arguments_do_no_harm() {
    let recordings = [
        encoded(-3, Some("home")).to_vec(),
        b"[-3, \"home\"]".to_vec(),
        b"{\"x\": -3, \"label\": null}".to_vec(),
    ];
    for seed in fuzz::seeds(500) {
        let mut dice = fuzz::dice(seed);
        for codec in [Codec::Cbor, Codec::Json] {
            let bytes = fuzz::noisy(&mut dice, &recordings);
            let taken = Arguments::open(&MOVE, codec, &bytes).and_then(|mut arguments| {
                let x = arguments.take(passer::<i64>(), 0)?;
                Ok((x, arguments.take(passer::<Option<String>>(), 1)?))
            });
            if let Ok((_, Some(label))) = taken {
                assert!(label.len() <= bytes.len());
            }
        }
    }
}

#[test]
fn an_older_caller_leaves_out_an_option() {
    let bytes = frame(&[("x", &[7])]);
    let mut arguments = Arguments::open(&MOVE, Codec::Cbor, &bytes).unwrap();
    assert_eq!(arguments.take(passer::<Option<String>>(), 1), Ok(None));
}

#[test]
fn what_does_not_fit_is_named() {
    let surplus = frame(&[("x", &[7]), ("speed", &[1])]);
    assert_eq!(
        problem(Codec::Cbor, &surplus),
        "bad arguments: `move_to`: does not know argument `speed`"
    );
    assert_eq!(
        problem(Codec::Cbor, &frame(&[])),
        "bad arguments: `move_to`: missing argument `x`"
    );
    assert_eq!(
        problem(Codec::Cbor, &frame(&[("x", &[0x61, b'a'])])),
        "bad arguments: `move_to`: argument `x`: invalid type: string, expected integer"
    );
    let twice = frame(&[("x", &[7]), ("x", &[8])]);
    assert_eq!(
        problem(Codec::Cbor, &twice),
        "bad arguments: `move_to`: argument `x` is given twice"
    );
}

#[test]
fn json_goes_by_position_or_by_name() {
    for text in [r#"[7, "home"]"#, r#"{"label": "home", "x": 7}"#] {
        let mut arguments = Arguments::open(&MOVE, Codec::Json, text.as_bytes()).unwrap();
        assert_eq!(arguments.codec(), Codec::Json);
        assert_eq!(arguments.take(passer::<i64>(), 0), Ok(7));
        assert_eq!(
            arguments.take(passer::<Option<String>>(), 1),
            Ok(Some(String::from("home")))
        );
    }
    let mut arguments = Arguments::open(&MOVE, Codec::Json, b"[1]").unwrap();
    assert_eq!(
        arguments.take(passer::<f64>(), 0),
        Ok(1.0),
        "an integer is a number too"
    );
}

#[test]
fn json_that_does_not_fit_is_named() {
    assert_eq!(
        problem(Codec::Json, b"[1, null, 3]"),
        "bad arguments: `move_to`: takes 2 arguments, got 3"
    );
    assert_eq!(
        problem(Codec::Json, br#"{"y": 1}"#),
        "bad arguments: `move_to`: does not know argument `y`"
    );
    assert_eq!(
        problem(Codec::Json, br#"["far"]"#),
        "bad arguments: `move_to`: argument `x`: invalid type: string \"far\", expected i64"
    );
    assert!(problem(Codec::Json, b"7").contains("neither an array nor an object"));
    assert!(problem(Codec::Json, b"{").contains("not JSON"));
}

#[test]
fn too_many_bytes_are_refused_on_both_sides() {
    let mut encoder = Encoder::new(&MOVE);
    encoder.text("label", &"x".repeat(ARGUMENTS_BYTES_MAX));
    assert!(matches!(encoder.finish(), Err(Cause::TooLarge { .. })));
    let bytes = alloc::vec![0; ARGUMENTS_BYTES_MAX + 1];
    let opened = Arguments::open(&MOVE, Codec::Cbor, &bytes);
    assert!(matches!(opened, Err(Cause::TooLarge { .. })));
}

#[test]
fn a_value_that_refuses_to_be_encoded_is_named() {
    #[derive(serde::Deserialize)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let mut encoder = Encoder::new(&MOVE);
    encoder.value(passer(), "x", &Stubborn);
    let problem = encoder.finish().unwrap_err().to_string();
    assert_eq!(problem, "bad arguments: `move_to`: argument `x`: not today");
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for codec in [Codec::Cbor, Codec::Json] {
            if let Ok(mut arguments) = Arguments::open(&MOVE, codec, &bytes) {
                let _ = arguments.take(passer::<i64>(), 0);
                let _ = arguments.take(passer::<Option<String>>(), 1);
            }
        }
    }

    #[test]
    fn a_cut_frame_is_refused(x in any::<i64>(), cut in 1usize..10) {
        let bytes = encoded(x, Some("somewhere"));
        let cut = &bytes[..bytes.len() - cut];
        prop_assert!(Arguments::open(&MOVE, Codec::Cbor, cut).is_err());
    }
}
