//! The codecs.

use crate::Request;

/// How requests and results become bytes, and back.
pub(crate) struct Codec {
    pub(crate) name: &'static str,
    pub(crate) encode_request: fn(&Request) -> Vec<u8>,
    pub(crate) decode_request: fn(&[u8]) -> Request,
    pub(crate) encode_result: fn(&(u64, f64)) -> Vec<u8>,
    pub(crate) decode_result: fn(&[u8]) -> (u64, f64),
}

macro_rules! codec {
    ($name:literal, $encode:expr, $decode:expr) => {
        Codec {
            name: $name,
            encode_request: |value| $encode(value),
            decode_request: |bytes| $decode(bytes),
            encode_result: |value| $encode(value),
            decode_result: |bytes| $decode(bytes),
        }
    };
}

const FITS: &str = "what it has encoded itself, a codec can decode";

fn cbor<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect(FITS);
    bytes
}

/// Every codec, in the order of the legend.
pub(crate) const CODECS: [Codec; 4] = [
    codec!("CBOR (ciborium)", cbor, |bytes: &[u8]| {
        ciborium::from_reader(bytes).expect(FITS)
    }),
    codec!(
        "JSON (serde_json)",
        |value| serde_json::to_vec(value).expect(FITS),
        |bytes: &[u8]| serde_json::from_slice(bytes).expect(FITS)
    ),
    codec!(
        "MessagePack (rmp-serde)",
        |value| rmp_serde::to_vec(value).expect(FITS),
        |bytes: &[u8]| rmp_serde::from_slice(bytes).expect(FITS)
    ),
    codec!(
        "postcard",
        |value| postcard::to_stdvec(value).expect(FITS),
        |bytes: &[u8]| postcard::from_bytes(bytes).expect(FITS)
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let request = Request::sample();
        for codec in CODECS {
            let bytes = (codec.encode_request)(&request);
            assert_eq!((codec.decode_request)(&bytes), request, "{}", codec.name);
            let result = (codec.encode_result)(&(7, 0.5));
            assert_eq!((codec.decode_result)(&result), (7, 0.5), "{}", codec.name);
        }
    }
}
