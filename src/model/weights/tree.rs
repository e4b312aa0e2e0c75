//! Layers as the tree of modules that the dots in their names make.

use super::layer::Layer;
use std::collections::HashMap;

/// A module: a layer, or what holds others.
#[derive(Debug)]
pub struct Node {
    /// Its name within the module that holds it.
    pub name: String,
    /// Its name with all that hold it.
    pub path: String,
    /// In the order in which their first layers come.
    pub children: Vec<Node>,
    /// Its place in the list of layers, if it is one.
    pub layer: Option<usize>,
    places: HashMap<String, usize>,
}

impl Node {
    /// The tree of these layers.
    pub fn of(layers: &[Layer<'_>]) -> Self {
        let mut root = Self::new("", String::new());
        for (place, layer) in layers.iter().enumerate() {
            let node = layer.name.split('.').fold(&mut root, Self::child);
            node.layer = Some(place);
        }
        root.settle();
        root
    }

    fn new(name: &str, path: String) -> Self {
        Self { name: name.into(), path, children: Vec::new(), layer: None, places: HashMap::new() }
    }

    fn child(&mut self, name: &str) -> &mut Self {
        let place = *self.places.entry(name.into()).or_insert(self.children.len());
        if place == self.children.len() {
            let path = if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) };
            self.children.push(Self::new(name, path));
        }
        &mut self.children[place]
    }

    /// What is a layer and holds others too gets itself as a child, so that only leaves are layers. It is called `.` there: names
    /// are split at dots, so no other child can be.
    fn settle(&mut self) {
        if !self.children.is_empty()
            && let Some(layer) = self.layer.take()
        {
            let path = self.path.clone();
            *self.child(".") = Self { layer: Some(layer), ..Self::new(".", path) };
        }
        self.children.iter_mut().for_each(Self::settle);
    }

    /// The module of that name that it holds.
    pub fn named(&self, name: &str) -> Option<&Self> {
        self.places.get(name).map(|place| &self.children[*place])
    }

    /// Whether its name counts modules.
    pub fn is_numbered(&self) -> bool {
        self.name.contains(|c: char| c.is_ascii_digit())
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        if self.layer.is_some() { 1 } else { self.children.iter().map(Self::len).sum() }
    }

    /// Its layers in the order in which they run.
    pub fn executed(&self) -> Vec<usize> {
        self.layer.into_iter().chain(executed(self.children.iter())).collect()
    }
}

/// The layers of sibling modules in the order in which they run: by number if that is all their names are, otherwise as
/// they were declared.
pub fn executed<'n>(siblings: impl Iterator<Item = &'n Node>) -> Vec<usize> {
    let mut siblings: Vec<&Node> = siblings.collect();
    let number = |node: &Node| node.name.parse::<u64>().ok();
    if siblings.iter().all(|node| number(node).is_some()) {
        siblings.sort_by_key(|node| number(node));
    }
    siblings.into_iter().flat_map(Node::executed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::image::{ImageModelConfig, MixerConfig};
    use crate::model::weights::layer::layers;
    use crate::model::{Model, ModelConfig, ResNetConfig};
    use crate::rng::Seed;
    use candle_core::Device;

    fn executed(model: &Model) -> Vec<String> {
        let stored: Vec<_> = model.parameters.iter().flat_map(|parameter| &parameter.stored).collect();
        let layers = layers(stored.iter().map(|part| (part.name.as_str(), part.shape.as_slice())));
        Node::of(&layers).executed().into_iter().map(|place| layers[place].name.to_string()).collect()
    }

    #[test]
    fn a_layer_that_holds_one_without_a_name_keeps_both() {
        let named = ["0.weight", "2.weight", "2..weight"].map(|name| (name, &[3_usize][..]));
        let mut kept = Node::of(&layers(named.into_iter())).executed();
        kept.sort_unstable();
        assert_eq!(kept, [0, 1, 2]);
    }

    #[test]
    fn layers_of_a_mixer_run_block_by_block() -> candle_core::Result<()> {
        let config = ImageModelConfig::Mixer(MixerConfig::new(8, 2, 11));
        let names = executed(&config.build([32, 32, 3], 10, Seed(0), &Device::Cpu)?);
        let of = |kind: &str| names.iter().filter_map(|name| name.strip_prefix(kind)).collect::<Vec<_>>();
        assert_eq!(of("stem."), ["0", "1", "3", "4", "6", "7", "9", "10", "12"]);
        let block = ["ln_token", "token_fc1", "token_fc2", "ln_channel", "channel_fc1", "channel_fc2"];
        assert_eq!(of("mixer.1."), block);
        assert_eq!(of("han.10."), ["token1", "token2", "channel1", "channel2"]);
        let place = |name: &str| names.iter().position(|other| other == name);
        assert!(place("han.0.channel2") < place("han.1.token1") && place("han.9.channel2") < place("han.10.token1"));
        assert_eq!(names[names.len() - 2..], ["ln", "head"]);
        Ok(())
    }

    #[test]
    fn layers_of_resnets_run_with_their_norms() -> candle_core::Result<()> {
        let names = executed(&ImageModelConfig::Resnet32.build([32, 32, 3], 10, Seed(0), &Device::Cpu)?);
        assert_eq!(names[..4], ["conv1", "bn1", "layer1.0.downsample.0", "layer1.0.downsample.1"]);
        assert_eq!(names[4..8], ["conv1", "bn1", "conv2", "bn2"].map(|name| format!("layer1.0.{name}")));
        assert_eq!(names.last().map(String::as_str), Some("fc"));
        let config = ModelConfig::Resnet(ResNetConfig { width: 4, blocks: 2 });
        let names = executed(&config.build(2, 2, Seed(0), &Device::Cpu)?);
        assert_eq!(names, ["0.0", "0.1", "1.0", "1.1", "1.3", "1.4", "2.0", "2.1", "2.3", "2.4", "3"]);
        Ok(())
    }
}
