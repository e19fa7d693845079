//! What others call the states of this project's models: a table a family. This project has torchvision's names where torchvision
//! has the model, else timm's.

/// A path here, and those it may have there. `{n}` counts blocks through, `{s}` stages and `{b}` the blocks of one; `{2s+1}` is a
/// number made of one.
type Rule = (&'static str, &'static [&'static str]);

/// How another project names the states of some models, and what else it does otherwise.
pub(super) struct Scheme {
    /// Whose names they are.
    pub name: &'static str,
    models: &'static [&'static str],
    /// Blocks of each stage, where one side counts stages and the other counts through.
    stages: &'static [usize],
    rules: &'static [&'static [Rule]],
    /// What its batch norms add to the variance.
    pub eps: f64,
    /// What is not as here.
    pub remark: Option<&'static str>,
}

/// What batch norms of a model of this project add to the variance.
pub(super) fn own_eps(model: &str) -> f64 {
    if model.starts_with("mobilenet-v3") { 1e-3 } else { USUAL_EPS }
}

pub(super) const USUAL_EPS: f64 = 1e-5;

/// Blocks of torchvision's MobileNetV3 and EfficientNet: with or without an expansion, with or without squeeze-and-excitation. The
/// first that is there and has the extents is meant.
macro_rules! block_rules {
    ($ours:literal) => {
        &[
            (concat!($ours, ".block.0.0"), &["blocks.{s}.{b}.conv_pw", "blocks.{s}.{b}.conv_dw"]),
            (concat!($ours, ".block.0.1"), &["blocks.{s}.{b}.bn1"]),
            (concat!($ours, ".block.1.0"), &["blocks.{s}.{b}.conv_dw", "blocks.{s}.{b}.conv_pw"]),
            (concat!($ours, ".block.1.1"), &["blocks.{s}.{b}.bn2"]),
            (concat!($ours, ".block.1.fc1"), &["blocks.{s}.{b}.se.conv_reduce"]),
            (concat!($ours, ".block.1.fc2"), &["blocks.{s}.{b}.se.conv_expand"]),
            (concat!($ours, ".block.2.fc1"), &["blocks.{s}.{b}.se.conv_reduce"]),
            (concat!($ours, ".block.2.fc2"), &["blocks.{s}.{b}.se.conv_expand"]),
            (concat!($ours, ".block.2.0"), &["blocks.{s}.{b}.conv_pwl", "blocks.{s}.{b}.conv_pw"]),
            (concat!($ours, ".block.2.1"), &["blocks.{s}.{b}.bn3", "blocks.{s}.{b}.bn2"]),
            (concat!($ours, ".block.3.0"), &["blocks.{s}.{b}.conv_pwl"]),
            (concat!($ours, ".block.3.1"), &["blocks.{s}.{b}.bn3"]),
        ]
    };
}

const STEM: &[Rule] = &[("features.0.0", &["conv_stem"]), ("features.0.1", &["bn1"])];

const EFFICIENTNET: &[usize] = &[1, 2, 2, 3, 3, 4, 1];

const PADDING: &str = "these weights were trained with TensorFlow's padding, which is not this model's: outputs differ a \
                       little from the original's; fine-tune them";

pub(super) static SCHEMES: &[Scheme] = &[
    Scheme {
        name: "timm",
        models: &["mobilenet-v2"],
        stages: &[1, 2, 3, 4, 3, 3, 1],
        rules: &[
            STEM,
            &[
                ("features.18.0", &["conv_head"]),
                ("features.18.1", &["bn2"]),
                ("classifier.1", &["classifier"]),
                ("features.{n+1}.conv.0.0", &["blocks.{s}.{b}.conv_pw", "blocks.{s}.{b}.conv_dw"]),
                ("features.{n+1}.conv.0.1", &["blocks.{s}.{b}.bn1"]),
                ("features.{n+1}.conv.1.0", &["blocks.{s}.{b}.conv_dw"]),
                ("features.{n+1}.conv.1.1", &["blocks.{s}.{b}.bn2"]),
                ("features.{n+1}.conv.1", &["blocks.{s}.{b}.conv_pw"]),
                ("features.{n+1}.conv.2", &["blocks.{s}.{b}.conv_pwl", "blocks.{s}.{b}.bn2"]),
                ("features.{n+1}.conv.3", &["blocks.{s}.{b}.bn3"]),
            ],
        ],
        eps: USUAL_EPS,
        remark: None,
    },
    Scheme {
        name: "timm",
        models: &["mobilenet-v3-small"],
        stages: &[1, 2, 3, 2, 3],
        rules: &[
            STEM,
            block_rules!("features.{n+1}"),
            &[("features.12.0", &["blocks.5.0.conv"]), ("features.12.1", &["blocks.5.0.bn1"])],
            &[("classifier.0", &["conv_head"]), ("classifier.3", &["classifier"])],
        ],
        eps: USUAL_EPS,
        remark: None,
    },
    Scheme {
        name: "timm",
        models: &["mobilenet-v3-large"],
        stages: &[1, 2, 3, 4, 2, 3],
        rules: &[
            STEM,
            block_rules!("features.{n+1}"),
            &[("features.16.0", &["blocks.6.0.conv"]), ("features.16.1", &["blocks.6.0.bn1"])],
            &[("classifier.0", &["conv_head"]), ("classifier.3", &["classifier"])],
        ],
        eps: USUAL_EPS,
        remark: None,
    },
    Scheme {
        name: "timm",
        models: &["efficientnet-b0"],
        stages: EFFICIENTNET,
        rules: &[
            STEM,
            block_rules!("features.{s+1}.{b}"),
            &[("features.8.0", &["conv_head"]), ("features.8.1", &["bn2"]), ("classifier.1", &["classifier"])],
        ],
        eps: USUAL_EPS,
        remark: None,
    },
    Scheme {
        name: "lukemelas",
        models: &["efficientnet-b0"],
        stages: EFFICIENTNET,
        rules: &[&[
            ("features.0.0", &["_conv_stem"]),
            ("features.0.1", &["_bn0"]),
            ("features.8.0", &["_conv_head"]),
            ("features.8.1", &["_bn1"]),
            ("classifier.1", &["_fc"]),
            ("features.{s+1}.{b}.block.0.0", &["_blocks.{n}._expand_conv", "_blocks.{n}._depthwise_conv"]),
            ("features.{s+1}.{b}.block.0.1", &["_blocks.{n}._bn0", "_blocks.{n}._bn1"]),
            ("features.{s+1}.{b}.block.1.0", &["_blocks.{n}._depthwise_conv"]),
            ("features.{s+1}.{b}.block.1.1", &["_blocks.{n}._bn1"]),
            ("features.{s+1}.{b}.block.1.fc1", &["_blocks.{n}._se_reduce"]),
            ("features.{s+1}.{b}.block.1.fc2", &["_blocks.{n}._se_expand"]),
            ("features.{s+1}.{b}.block.2.fc1", &["_blocks.{n}._se_reduce"]),
            ("features.{s+1}.{b}.block.2.fc2", &["_blocks.{n}._se_expand"]),
            ("features.{s+1}.{b}.block.2.0", &["_blocks.{n}._project_conv"]),
            ("features.{s+1}.{b}.block.2.1", &["_blocks.{n}._bn2"]),
            ("features.{s+1}.{b}.block.3.0", &["_blocks.{n}._project_conv"]),
            ("features.{s+1}.{b}.block.3.1", &["_blocks.{n}._bn2"]),
        ]],
        eps: 1e-3,
        remark: Some(PADDING),
    },
    Scheme {
        name: "lukemelas",
        models: &["efficientnet-lite0"],
        stages: EFFICIENTNET,
        rules: &[&[
            ("conv_stem", &["_conv_stem"]),
            ("bn1", &["_bn0"]),
            ("conv_head", &["_conv_head"]),
            ("bn2", &["_bn1"]),
            ("classifier", &["_fc"]),
            ("blocks.{s}.{b}.conv_pw", &["_blocks.{n}._expand_conv", "_blocks.{n}._project_conv"]),
            ("blocks.{s}.{b}.bn1", &["_blocks.{n}._bn0", "_blocks.{n}._bn1"]),
            ("blocks.{s}.{b}.conv_dw", &["_blocks.{n}._depthwise_conv"]),
            ("blocks.{s}.{b}.bn2", &["_blocks.{n}._bn1", "_blocks.{n}._bn2"]),
            ("blocks.{s}.{b}.conv_pwl", &["_blocks.{n}._project_conv"]),
            ("blocks.{s}.{b}.bn3", &["_blocks.{n}._bn2"]),
        ]],
        eps: 1e-3,
        remark: Some(PADDING),
    },
    Scheme {
        name: "timm",
        models: &["regnet-y-400mf"],
        stages: &[],
        rules: &[&[
            ("stem.0", &["stem.conv"]),
            ("stem.1", &["stem.bn"]),
            ("fc", &["head.fc"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.proj.0", &["s{s+1}.b{b+1}.downsample.conv"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.proj.1", &["s{s+1}.b{b+1}.downsample.bn"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.a.0", &["s{s+1}.b{b+1}.conv1.conv"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.a.1", &["s{s+1}.b{b+1}.conv1.bn"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.b.0", &["s{s+1}.b{b+1}.conv2.conv"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.b.1", &["s{s+1}.b{b+1}.conv2.bn"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.se.fc1", &["s{s+1}.b{b+1}.se.fc1"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.se.fc2", &["s{s+1}.b{b+1}.se.fc2"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.c.0", &["s{s+1}.b{b+1}.conv3.conv"]),
            ("trunk_output.block{s+1}.block{s+1}-{b}.f.c.1", &["s{s+1}.b{b+1}.conv3.bn"]),
        ]],
        eps: USUAL_EPS,
        remark: None,
    },
    Scheme {
        name: "timm",
        models: &["convnext-tiny"],
        stages: &[],
        rules: &[&[
            ("features.0.0", &["stem.0"]),
            ("features.0.1", &["stem.1"]),
            ("features.{2s}.0", &["stages.{s}.downsample.0"]),
            ("features.{2s}.1", &["stages.{s}.downsample.1"]),
            ("features.{2s+1}.{b}.layer_scale", &["stages.{s}.blocks.{b}.gamma"]),
            ("features.{2s+1}.{b}.block.0", &["stages.{s}.blocks.{b}.conv_dw"]),
            ("features.{2s+1}.{b}.block.2", &["stages.{s}.blocks.{b}.norm"]),
            ("features.{2s+1}.{b}.block.3", &["stages.{s}.blocks.{b}.mlp.fc1"]),
            ("features.{2s+1}.{b}.block.5", &["stages.{s}.blocks.{b}.mlp.fc2"]),
            ("classifier.0", &["head.norm"]),
            ("classifier.2", &["head.fc"]),
        ]],
        eps: USUAL_EPS,
        remark: None,
    },
    Scheme {
        name: "timm",
        models: &["vgg11", "vgg16"],
        stages: &[],
        rules: &[&[
            ("classifier.0", &["pre_logits.fc1"]),
            ("classifier.3", &["pre_logits.fc2"]),
            ("classifier.6", &["head.fc"]),
        ]],
        eps: USUAL_EPS,
        remark: None,
    },
];

impl Scheme {
    /// The schemes for a model of this project.
    pub fn of(model: &str) -> impl Iterator<Item = &'static Scheme> {
        SCHEMES.iter().filter(move |scheme| scheme.models.contains(&model))
    }

    /// What a state may be called there.
    pub fn names(&self, own: &str) -> Vec<String> {
        let rules = self.rules.iter().flat_map(|rules| rules.iter());
        let one = |(ours, theirs): &Rule| {
            let (places, rest) = Places::read(ours, own)?;
            let places = places.completed(self.stages)?;
            Some(theirs.iter().filter_map(move |pattern| Some(places.write(pattern)? + rest)).collect::<Vec<_>>())
        };
        rules.filter_map(one).flatten().collect()
    }
}

/// Numbers within a path, each where it is known.
#[derive(Clone, Copy, Default)]
struct Places {
    stage: Option<usize>,
    block: Option<usize>,
    number: Option<usize>,
}

/// A number of a pattern: `2s+1` as factor, letter and summand.
fn token(text: &str) -> Option<(usize, char, usize)> {
    let (product, summand) = text.split_once('+').unwrap_or((text, "0"));
    let letter = product.chars().next_back()?;
    let factor = product.strip_suffix(letter)?;
    Some((if factor.is_empty() { 1 } else { factor.parse().ok()? }, letter, summand.parse().ok()?))
}

impl Places {
    fn of(&mut self, letter: char) -> Option<&mut Option<usize>> {
        match letter {
            's' => Some(&mut self.stage),
            'b' => Some(&mut self.block),
            'n' => Some(&mut self.number),
            _ => None,
        }
    }

    /// The numbers of a name whose beginning has the pattern, and the rest of it.
    fn read<'n>(pattern: &str, name: &'n str) -> Option<(Places, &'n str)> {
        let (mut places, mut rest) = (Places::default(), name);
        let mut parts = pattern.split('{');
        rest = rest.strip_prefix(parts.next()?)?;
        for part in parts {
            let (inside, behind) = part.split_once('}')?;
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let value: usize = rest[..digits].parse().ok()?;
            let (factor, letter, summand) = token(inside)?;
            let value = value.checked_sub(summand).filter(|v| v.is_multiple_of(factor))? / factor;
            *places.of(letter)? = Some(value);
            rest = rest[digits..].strip_prefix(behind)?;
        }
        (rest.is_empty() || rest.starts_with('.')).then_some((places, rest))
    }

    /// With the number of a block from its stage and place there, or the other way; nothing for what lies behind the last.
    fn completed(mut self, stages: &[usize]) -> Option<Places> {
        match (self.stage, self.block, self.number) {
            (None, None, Some(number)) => {
                let (mut stage, mut block) = (0, number);
                while block >= *stages.get(stage)? {
                    block -= stages[stage];
                    stage += 1;
                }
                (self.stage, self.block) = (Some(stage), Some(block));
            }
            (Some(stage), Some(block), None) if !stages.is_empty() => {
                self.number = Some(stages.get(..stage)?.iter().sum::<usize>() + block);
            }
            _ => {}
        }
        Some(self)
    }

    fn write(mut self, pattern: &str) -> Option<String> {
        let mut parts = pattern.split('{');
        let mut name = parts.next()?.to_string();
        for part in parts {
            let (inside, behind) = part.split_once('}')?;
            let (factor, letter, summand) = token(inside)?;
            name += &((*self.of(letter)?)? * factor + summand).to_string();
            name += behind;
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(model: &str, whose: &str, own: &str) -> Vec<String> {
        Scheme::of(model).find(|s| s.name == whose).expect("a scheme").names(own)
    }

    #[test]
    fn blocks_are_counted_by_stages_or_through() {
        assert_eq!(names("mobilenet-v2", "timm", "features.4.conv.3.running_var"), ["blocks.2.0.bn3.running_var"]);
        assert_eq!(
            names("efficientnet-b0", "lukemelas", "features.4.1.block.3.0.weight"),
            ["_blocks.6._project_conv.weight"]
        );
        assert_eq!(names("convnext-tiny", "timm", "features.5.8.layer_scale"), ["stages.2.blocks.8.gamma"]);
        assert_eq!(names("convnext-tiny", "timm", "features.6.1.bias"), ["stages.3.downsample.1.bias"]);
        assert_eq!(names("mobilenet-v3-small", "timm", "features.12.1.bias"), ["blocks.5.0.bn1.bias"]);
        assert!(names("mobilenet-v2", "timm", "features.19.conv.3.bias").is_empty());
        let deep = "trunk_output.block4.block4-5.f.se.fc2.weight";
        assert_eq!(names("regnet-y-400mf", "timm", deep), ["s4.b6.se.fc2.weight"]);
    }
}
