#![no_main]

#[path = "../limit.rs"]
mod limit;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limit::within(|| han_exp::inputs::cifar_python(bytes)));
