//! Weights that others trained, by the names of this project's models: timm's files on the model hub, downloaded once and kept.
//!
//! Repositories, licences and numbers are those of timm 1.0.31 (its `default_cfg` of each). timm does not tell the files' SHA-256, so
//! that none stands here: the hub tells it with each file (`X-Linked-ETag`), and what comes is checked against that.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chiaro_io::{IoError, torch, write_whole};

use crate::FetchError;
use crate::file::{Progress, RemoteFile, agent, fetch_file, hash};

/// Weights for a model.
#[derive(Debug, Clone, Copy)]
pub struct PretrainedWeights {
    /// The model of this project that they are for.
    pub model: &'static str,
    /// Their repository on the hub.
    pub repository: &'static str,
    /// Their licence.
    pub licence: &'static str,
    /// What batch norms add to the variance; absent where the model has none.
    pub eps: Option<f64>,
    /// Mean of each channel, in units of pixel / 255.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, in the same units.
    pub std: [f32; 3],
    /// Height and width of the images that they were trained on.
    pub size: usize,
}

/// Where the repositories are, unless `HF_ENDPOINT` (which other programs know too) names a mirror.
const HUB: &str = "https://huggingface.co";
const MIRROR: &str = "HF_ENDPOINT";
const FILE: &str = "model.safetensors";

/// A row of the table.
const fn row(
    model: &'static str,
    repository: &'static str,
    licence: &'static str,
    eps: Option<f64>,
    [mean, std]: [[f32; 3]; 2],
) -> PretrainedWeights {
    PretrainedWeights { model, repository, licence, eps, mean, std, size: 224 }
}

const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
const HALF: [[f32; 3]; 2] = [[0.5; 3], [0.5; 3]];
const APACHE: &str = "Apache-2.0";
const BSD: &str = "BSD-3-Clause";

/// Weights that are known by the name of their model, all of ImageNet with 1,000 classes.
pub static PRETRAINED: &[PretrainedWeights] = &[
    row("efficientnet-lite0", "timm/efficientnet_lite0.ra_in1k", APACHE, Some(1e-5), IMAGENET),
    row("efficientnet-b0", "timm/efficientnet_b0.ra_in1k", APACHE, Some(1e-5), IMAGENET),
    row("mobilenet-v2", "timm/mobilenetv2_100.ra_in1k", APACHE, Some(1e-5), IMAGENET),
    row("mobilenet-v3-small", "timm/mobilenetv3_small_100.lamb_in1k", APACHE, Some(1e-5), IMAGENET),
    row("mobilenet-v3-large", "timm/mobilenetv3_large_100.ra_in1k", APACHE, Some(1e-5), IMAGENET),
    row("resnet18", "timm/resnet18.a1_in1k", APACHE, Some(1e-5), IMAGENET),
    row("resnet34", "timm/resnet34.a1_in1k", APACHE, Some(1e-5), IMAGENET),
    row("resnet50", "timm/resnet50.a1_in1k", APACHE, Some(1e-5), IMAGENET),
    row("densenet121", "timm/densenet121.ra_in1k", APACHE, Some(1e-5), IMAGENET),
    row("regnet-y-400mf", "timm/regnety_004.pycls_in1k", "MIT", Some(1e-5), IMAGENET),
    row("vgg11", "timm/vgg11_bn.tv_in1k", BSD, Some(1e-5), IMAGENET),
    row("vgg16", "timm/vgg16_bn.tv_in1k", BSD, Some(1e-5), IMAGENET),
    row("convnext-tiny", "timm/convnext_tiny.fb_in1k", APACHE, None, IMAGENET),
    row("vit-tiny", "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", APACHE, None, HALF),
    row("vit-small", "timm/vit_small_patch16_224.augreg_in21k_ft_in1k", APACHE, None, HALF),
];

/// Weights that are here.
#[derive(Debug, Clone)]
pub struct FetchedWeights {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Whether they were downloaded just now.
    pub new: bool,
    /// Whether somebody told that SHA-256: the hub, as the file was downloaded.
    pub told: bool,
}

/// The weights for a model.
///
/// # Errors
/// [`FetchError::NoWeights`] lists those there are.
pub fn pretrained(model: &str) -> Result<&'static PretrainedWeights, FetchError> {
    let known = || PRETRAINED.iter().map(|weights| weights.model).collect();
    let found = PRETRAINED.iter().find(|weights| weights.model == model);
    found.ok_or_else(|| FetchError::NoWeights { model: model.to_string(), known: known() })
}

impl PretrainedWeights {
    /// The file below `caches`: downloaded if it is not here, unless `offline`. What was downloaded before is looked at again, so
    /// that damage is seen. What holds no weights, such as a page of a proxy that asks for a password, is removed.
    ///
    /// # Errors
    /// [`FetchError`] says what could not be had and what to do.
    pub fn fetch(
        &self,
        caches: Option<&Path>,
        offline: bool,
        progress: Progress<'_>,
    ) -> Result<FetchedWeights, FetchError> {
        let hub = std::env::var(MIRROR).ok().filter(|hub| !hub.trim().is_empty()).unwrap_or(HUB.to_string());
        self.fetch_from(hub.trim().trim_end_matches('/'), caches, offline, progress)
    }

    /// [`PretrainedWeights::fetch`] from this hub.
    ///
    /// # Errors
    /// The same.
    pub fn fetch_from(
        &self,
        hub: &str,
        caches: Option<&Path>,
        offline: bool,
        progress: Progress<'_>,
    ) -> Result<FetchedWeights, FetchError> {
        let caches = caches.ok_or(FetchError::NoFolder { name: self.repository })?;
        let folder = caches.join("weights").join(self.repository.replace('/', "--"));
        let path = folder.join(FILE);
        // Its hash lies beside it, with a word on whether it was told or only counted here.
        let note = folder.join(format!("{FILE}.sha256"));
        if path.is_file() {
            let sha256 = hash(&path).map_err(|cause| FetchError::io(&path, cause))?;
            let noted = std::fs::read_to_string(&note).unwrap_or_default();
            let expected = noted.split_whitespace().next().unwrap_or_default().to_string();
            if !expected.is_empty() && expected != sha256 {
                return Err(FetchError::Damaged { path, expected, found: sha256 });
            }
            self.holds_weights(&path, &note)?;
            return Ok(FetchedWeights { path, sha256, new: false, told: noted.contains("told") });
        }
        if offline {
            return Err(FetchError::Offline { name: self.repository, folder, files: vec![FILE.to_string()] });
        }
        let url = format!("{hub}/{}/resolve/main/{FILE}", self.repository);
        let told = ask(&url)?;
        let file = RemoteFile { name: FILE, bytes: told.bytes, sha256: told.sha256.as_deref(), urls: &[&url] };
        let path = fetch_file(&file, &folder, progress)?;
        self.holds_weights(&path, &note)?;
        let sha256 = hash(&path).map_err(|cause| FetchError::io(&path, cause))?;
        let how = if told.sha256.is_some() { "told by the hub" } else { "counted here" };
        write_whole(&note, format!("{sha256} {how}\n").as_bytes())?;
        Ok(FetchedWeights { path, sha256, new: true, told: told.sha256.is_some() })
    }

    /// Removes a file without weights, and its hash with it, so that the next run asks for it again.
    fn holds_weights(&self, path: &Path, note: &Path) -> Result<(), FetchError> {
        let cause = match torch::check_safetensors(path) {
            Ok(()) => return Ok(()),
            Err(cause @ IoError::Format { .. }) => cause,
            // Of a file that cannot be read nobody knows what it is.
            Err(cause) => return Err(cause.into()),
        };
        std::fs::remove_file(path).map_err(|cause| FetchError::io(path, cause))?;
        match std::fs::remove_file(note) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(FetchError::io(note, cause)),
            Ok(()) | Err(_) => {}
        }
        Err(FetchError::NotWeights { name: self.repository, cause: Box::new(cause), advice: advice() })
    }
}

/// What to do where a hub does not give weights.
fn advice() -> String {
    format!("the environment variable {MIRROR} names a mirror, and --pretrained=FILE takes a file")
}

/// What a hub tells of a file.
struct Told {
    bytes: u64,
    sha256: Option<String>,
}

/// Asks for a file's size and hash. A hub that keeps large files elsewhere tells both where it redirects, others the size alone.
fn ask(url: &str) -> Result<Told, FetchError> {
    let no_answer = |cause: String| FetchError::NoAnswer {
        file: FILE.to_string(),
        causes: vec![format!("{url}: {cause}; {}", advice())],
        part: 0,
    };
    let mut told = Told { bytes: 0, sha256: None };
    for redirects in [0, 10] {
        let config = agent(redirects).head(url).config().max_redirects_will_error(false).build();
        let answer = config.call().map_err(|cause| no_answer(cause.to_string()))?;
        let text = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let size = text("x-linked-size").or(text("content-length").filter(|_| answer.status().is_success()));
        told.bytes = size.and_then(|size| size.parse().ok()).unwrap_or(0);
        let digits = |tag: &str| tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit());
        let tag = text("x-linked-etag").map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_lowercase());
        told.sha256 = tag.filter(|tag| digits(tag)).or(told.sha256);
        if told.bytes > 0 {
            return Ok(told);
        }
    }
    Err(no_answer("it does not tell the size of the file".into()))
}
