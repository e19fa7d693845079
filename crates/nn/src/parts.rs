//! A model in parts, for rates that fall with the depth and for freezing.

/// The part that a state belongs to: its name up to the first component with a digit, `features.3` of `features.3.conv.0.weight`;
/// without one all of it but the last, `patch_embed.proj` of `patch_embed.proj.weight`.
pub fn part_of(name: &str) -> &str {
    let mut end = 0;
    for component in name.split('.') {
        let start = end;
        end += component.len() + usize::from(start > 0);
        if end == name.len() && start > 0 {
            return &name[..start];
        }
        if component.contains(|c: char| c.is_ascii_digit()) {
            return &name[..end];
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::by_name;

    #[test]
    fn parts_are_the_blocks_and_layers_that_people_name() {
        for (name, part) in [
            ("features.3.conv.0.weight", "features.3"),
            ("layer1.0.bn1.bias", "layer1"),
            ("patch_embed.proj.weight", "patch_embed.proj"),
            ("cls_token", "cls_token"),
            ("fc.weight", "fc"),
            ("trunk_output.block1.block1-0.proj.0.weight", "trunk_output.block1"),
            ("7.weight", "7"),
        ] {
            assert_eq!(part_of(name), part);
        }
        let model = by_name("resnet18", 10, [32, 32, 3]).expect("fits");
        let mut parts: Vec<&str> = model.declared().states.iter().map(|s| part_of(&s.name)).collect();
        parts.dedup();
        assert_eq!(parts, ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"]);
    }
}
