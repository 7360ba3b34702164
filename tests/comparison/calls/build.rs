//! tonic's client and server, without a compiler of protocol buffers.

fn main() {
    let increment = tonic_build::manual::Method::builder()
        .name("increment")
        .route_name("Increment")
        .input_type("crate::grpc::Increment")
        .output_type("crate::grpc::Count")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let counter = tonic_build::manual::Service::builder()
        .name("Counter")
        .package("comparison")
        .method(increment)
        .build();
    tonic_build::manual::Builder::new().compile(&[counter]);
}
