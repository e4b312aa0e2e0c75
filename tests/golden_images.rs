//! Layers for images and the whole mixer against PyTorch in float64 (`tests/golden/make_golden.py`).

mod common;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;
use common::{TYPES, assert_close, assert_close_at_scale, backward, golden, gradient, largest, variable};
use han_exp::model::image::{ImageModelConfig, MixerConfig};
use han_exp::nn::kernels::gelu;
use han_exp::nn::{Conv2d, ConvConfig, LayerNorm, Mode, loss};
use han_exp::rng::Seed;
use std::collections::{BTreeSet, HashMap};

/// PyTorch's images have their channels first.
fn channels_last(images: &Tensor) -> Result<Tensor> {
    images.permute((0, 2, 3, 1))?.contiguous()
}

#[test]
fn layer_norm_matches_pytorch() -> Result<()> {
    let reference = golden("layer_norm")?;
    for (dtype, tolerance) in TYPES {
        let [x, weight, bias] = ["x", "weight", "bias"].map(|key| variable(&reference[key], dtype));
        let (x, weight, bias) = (x?, weight?, bias?);
        let y = LayerNorm::new(weight.as_tensor().clone(), bias.as_tensor().clone())?.forward(&x)?;
        assert_close(&y, &reference["y"], tolerance, "y")?;
        let gradients = backward(&y, &reference["gy"])?;
        for (key, var) in [("gx", &x), ("gweight", &weight), ("gbias", &bias)] {
            assert_close(gradient(&gradients, var, key)?, &reference[key], tolerance, key)?;
        }
    }
    Ok(())
}

#[test]
fn gelu_matches_pytorch() -> Result<()> {
    let reference = golden("activations")?;
    let z = reference["x"].to_vec1::<f64>()?;
    let narrow: Vec<f32> = z.iter().map(|z| *z as f32).collect();
    let ones = vec![1.0; z.len()];
    let wide = [("gelu", gelu::forward(&z)), ("gelu_grad", gelu::backward(&z, &ones))];
    for (key, actual) in wide {
        assert_close(&Tensor::new(actual, &Device::Cpu)?, &reference[key], 1e-12, key)?;
    }
    let ones = vec![1.0; z.len()];
    let narrow = [("gelu", gelu::forward(&narrow)), ("gelu_grad", gelu::backward(&narrow, &ones))];
    for (key, actual) in narrow {
        assert_close(&Tensor::new(actual, &Device::Cpu)?, &reference[key], 1e-6, key)?;
    }
    Ok(())
}

#[test]
fn convolutions_match_pytorch_forward_and_gradients() -> Result<()> {
    let reference = golden("conv2d")?;
    for (case, stride, padding) in [("k3s1", 1, 1), ("k3s2", 2, 1), ("k3s2_odd", 2, 1), ("k1", 1, 0)] {
        let of = |key: &str| &reference[&format!("{case}.{key}")];
        for (dtype, tolerance) in TYPES {
            let x = variable(&channels_last(of("x"))?, dtype)?;
            let (weight, bias) = (variable(of("w"), dtype)?, variable(of("b"), dtype)?);
            let layer =
                Conv2d::new(weight.as_tensor().clone(), bias.as_tensor().clone(), ConvConfig { stride, padding })?;
            let y = layer.forward(&x)?;
            assert_close(&y, &channels_last(of("y"))?, tolerance, &format!("{case}: y"))?;
            let gradients = backward(&y, &channels_last(of("gy"))?)?;
            let gx = gradient(&gradients, &x, "x")?;
            assert_close(gx, &channels_last(of("gx"))?, tolerance, &format!("{case}: gx"))?;
            for (key, var) in [("gw", &weight), ("gb", &bias)] {
                assert_close(gradient(&gradients, var, key)?, of(key), tolerance, &format!("{case}: {key}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn the_mixer_matches_pytorch_in_logits_loss_and_every_gradient() -> Result<()> {
    let reference = golden("mixer_tiny")?;
    let weights: HashMap<String, Tensor> =
        reference.iter().filter_map(|(key, t)| Some((key.strip_prefix("param.")?.to_owned(), t.clone()))).collect();
    let config = ImageModelConfig::Mixer(MixerConfig::new(16, 1, 2));
    for (dtype, tolerance) in TYPES {
        let model = config.build_as(dtype, [32, 32, 3], 10, Seed(1), &Device::Cpu)?;
        model.parameters.assign(&weights_at_start(&weights)?)?;
        let xs = channels_last(&reference["x"])?.to_dtype(dtype)?;
        let logits = model.network.forward(&xs, Mode::Train)?;
        assert_close(&logits, &reference["logits_train"], tolerance, "logits in training")?;
        let loss = loss::cross_entropy(&logits, &reference["labels"].to_dtype(DType::U32)?)?;
        assert_close(&loss, &reference["loss"], tolerance, "loss")?;

        let gradients = loss.backward()?;
        let mut compared = BTreeSet::new();
        for parameter in model.parameters.iter() {
            // Running statistics have none, but have moved.
            let Some(whole) = gradients.get(parameter.var.as_tensor()) else {
                for stored in &parameter.stored {
                    let what = format!("{} in {dtype:?}", stored.name);
                    assert_close(parameter.var.as_tensor(), &weights[&stored.name], tolerance, &what)?;
                    compared.insert(stored.name.clone());
                }
                continue;
            };
            let (entries, mut start) = (whole.flatten_all()?, 0);
            for stored in &parameter.stored {
                let len = stored.shape.iter().product();
                let piece = entries.narrow(0, start, len)?.reshape(stored.shape.as_slice())?;
                start += len;
                let expected = &reference[&format!("grad.{}", stored.name)];
                // What batch norm takes away again has a gradient of rounding errors in PyTorch and none here.
                let scale = largest(expected)?.max(1e-4);
                let what = format!("gradient of {} in {dtype:?}", stored.name);
                assert_close_at_scale(&piece, expected, scale, tolerance, &what)?;
                compared.insert(stored.name.clone());
            }
        }
        assert_eq!(compared, weights.keys().cloned().collect(), "names of the compared tensors");
        let scored = model.frozen.forward(&xs, Mode::Eval)?;
        assert_close(&scored, &reference["logits_eval"], tolerance, "logits in evaluation")?;
    }
    Ok(())
}

/// The file's running statistics are those after its one pass in train mode.
fn weights_at_start(weights: &HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
    let start = |(name, tensor): (&String, &Tensor)| {
        let tensor = match name.rsplit_once('.') {
            Some((_, "running_mean")) => tensor.zeros_like()?,
            Some((_, "running_var")) => tensor.ones_like()?,
            _ => tensor.clone(),
        };
        Ok((name.clone(), tensor))
    };
    weights.iter().map(start).collect()
}

#[test]
fn image_networks_have_the_papers_parameter_counts() -> Result<()> {
    let count = |config: ImageModelConfig, image: [usize; 3], classes: usize| -> Result<usize> {
        Ok(config.build(image, classes, Seed(1), &Device::Cpu)?.parameters.count())
    };
    let mixer = |channels, mixer_blocks, han_blocks| {
        ImageModelConfig::Mixer(MixerConfig::new(channels, mixer_blocks, han_blocks))
    };
    let (cifar, stl) = ([32, 32, 3], [96, 96, 3]);
    for (channels, mixer_blocks, han_blocks, image, classes, expected) in [
        (256, 4, 0, cifar, 10, 1_021_962),
        (256, 4, 12, cifar, 10, 1_037_322),
        (256, 8, 0, cifar, 10, 1_585_674),
        (256, 0, 12, cifar, 10, 473_610),
        (128, 4, 0, cifar, 10, 283_402),
        (128, 4, 12, cifar, 10, 292_618),
        (128, 8, 0, cifar, 10, 450_826),
        (64, 4, 0, cifar, 10, 97_290),
        (64, 4, 12, cifar, 10, 103_434),
        (256, 4, 12, cifar, 100, 1_060_452),
        (256, 4, 0, stl, 10, 1_155_722),
        (256, 4, 12, stl, 10, 1_174_922),
    ] {
        assert_eq!(count(mixer(channels, mixer_blocks, han_blocks), image, classes)?, expected);
    }
    assert_eq!(count(ImageModelConfig::Resnet32, cifar, 10)?, 7_400_026);
    Ok(())
}

#[test]
fn every_parameter_of_an_image_network_gets_a_gradient() -> Result<()> {
    let mixer = ImageModelConfig::Mixer(MixerConfig::new(16, 2, 2));
    for config in [mixer, ImageModelConfig::Resnet32] {
        let model = config.build([32, 32, 3], 10, Seed(1), &Device::Cpu)?;
        let xs = common::normal(&mut Seed(2).stream("testing"), &[4, 32, 32, 3])?.to_dtype(DType::F32)?;
        let loss = loss::cross_entropy(
            &model.network.forward(&xs, Mode::Train)?,
            &Tensor::new(&[1u32, 2, 3, 4], &Device::Cpu)?,
        )?;
        let gradients = loss.backward()?;
        for parameter in model.parameters.iter().filter(|p| p.role != han_exp::nn::Role::Buffer) {
            let whole = gradient(&gradients, &parameter.var, &parameter.stored[0].name)?.flatten_all()?;
            let mut start = 0;
            for stored in &parameter.stored {
                let len = stored.shape.iter().product();
                let size = largest(&whole.narrow(0, start, len)?)?;
                start += len;
                // Biases of the stem's four convolutions come directly before a batch norm, which takes them away.
                let cancelled =
                    ["stem.0", "stem.3", "stem.6", "stem.9"].iter().any(|conv| stored.name == format!("{conv}.bias"));
                assert_eq!(size > 1e-7, !cancelled, "{}: {size:e}", stored.name);
            }
        }
    }
    Ok(())
}
