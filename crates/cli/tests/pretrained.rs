//! End to end: `--pretrained`, with a hub of this test that redirects, cuts, lies about a hash, and says nothing.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use chiaro::graph::Tensor;
use chiaro::io::torch;
use chiaro::nn::models;
use common::{arg, expect_error, image_file};
use sha2::{Digest, Sha256};

const MODEL: &str = "mobilenet-v3-small";

/// How the hub behaves.
#[derive(Clone, Copy, PartialEq)]
enum Hub {
    /// Cuts the first download, and goes on where it is asked to.
    Cuts,
    /// Tells another hash than the file has.
    Lies,
    /// Takes the connection and says nothing.
    Stalls,
}

/// A hub of one file; what it was asked for stands in the list.
fn hub(how: Hub, file: Vec<u8>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&asked);
    let sum: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    let told = if how == Hub::Lies { "0".repeat(64) } else { sum };
    std::thread::spawn(move || {
        let mut cut = false;
        let mut open = vec![];
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let head = head_of(&mut stream);
            let line = head.lines().next().unwrap_or_default().to_string();
            let from = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("range: bytes=")?.trim_end_matches('-').parse::<usize>().ok());
            heard.lock().expect("unpoisoned").push(format!("{line} {from:?}"));
            if how == Hub::Stalls {
                open.push(stream);
                continue;
            }
            if line.contains("/resolve/main/") {
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nLocation: /blob\r\nX-Linked-ETag: \"{told}\"\r\nX-Linked-Size: {}\r\n\
                     Content-Length: 0\r\nConnection: close\r\n\r\n",
                    file.len()
                );
                let _ = stream.write_all(answer.as_bytes());
                continue;
            }
            let rest = &file[from.unwrap_or(0)..];
            let status = match from {
                Some(from) => {
                    format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", file.len() - 1, file.len())
                }
                None => "200 OK".to_string(),
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
            let sent = if how == Hub::Cuts && !std::mem::replace(&mut cut, true) { rest.len() / 3 } else { rest.len() };
            let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&rest[..sent]));
        }
    });
    (address, asked)
}

fn head_of(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        text.push(byte[0] as char);
    }
    text
}

/// Weights as others write them.
fn weights(path: &Path) -> Vec<u8> {
    let model = models::named(MODEL).and_then(|m| m.build(1000, [224, 224, 3])).expect("a model");
    let values = |name: &str, n: usize| {
        (0..n).map(|i| if name.ends_with("running_var") { 1.0 } else { (i % 7) as f32 * 0.01 }).collect()
    };
    let states = model.declared().states.iter();
    let tensors: BTreeMap<String, Tensor> = states
        .map(|s| {
            let n = s.shape.iter().product();
            (s.name.clone(), Tensor::f32(s.shape.clone(), values(&s.name, n)).expect("a tensor"))
        })
        .collect();
    torch::save(path, &model, &tensors).expect("written");
    std::fs::read(path).expect("written")
}

/// Photos of three classes.
fn photos(folder: &Path) -> PathBuf {
    let data = folder.join("photos");
    for i in 0..24 {
        let class = data.join(format!("train/{}", common::CLASSES[i % 3]));
        std::fs::create_dir_all(&class).expect("made");
        image_file(&class.join(format!("{i}.png")), i % 3, i);
    }
    data
}

fn train(address: &str, caches: &Path, data: &Path, more: &[&str]) -> Output {
    let settings = ["--size", "32", "--channels", "3", "--epochs", "1", "--batch-size", "4", "--device", "cpu"];
    let mut program = common::program();
    program.env("HF_ENDPOINT", address).env("CHIARO_CACHE_DIR", caches).env("CHIARO_NETWORK_TIMEOUT", "2");
    // run0, run1 and so on.
    let out = (0..).map(|i| data.with_file_name(format!("run{i}"))).find(|run| !run.exists()).expect("a name");
    program.args(["train", arg(data), "--out", arg(&out)]).args(settings).args(more).output().expect("it runs")
}

fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn weights_of_the_models_name_are_downloaded_checked_kept_and_begun_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, caches) = (photos(folder.path()), folder.path().join("caches"));
    let (address, asked) = hub(Hub::Cuts, weights(&folder.path().join("own.safetensors")));
    let text = told(&train(&address, &caches, &data, &["--model", MODEL, "--pretrained"]), 0);
    for part in [
        "weights: timm/mobilenetv3_small_100.lamb_in1k (Apache-2.0)",
        "its SHA-256 is the one that the hub tells",
        "begun with",
        "anew begin classifier.3.weight ([1000, 1024] there, [3, 1024] here)",
        "fine-tuning: frozen for",
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    let gets: Vec<String> =
        asked.lock().expect("unpoisoned").iter().filter(|a| a.starts_with("GET /blob")).cloned().collect();
    assert!(gets.len() == 2 && gets[0].ends_with("None") && gets[1].contains("Some("), "{gets:?}");
    let before = asked.lock().expect("unpoisoned").len();
    let text = told(&train(&address, &caches, &data, &["--model", MODEL, "--pretrained", "--offline"]), 0);
    assert!(text.contains("its SHA-256 is the one that the hub told"), "{text}");
    assert_eq!(asked.lock().expect("unpoisoned").len(), before, "nothing is asked for again");
    // A file that was damaged since is told as such.
    let kept = caches.join("weights/timm--mobilenetv3_small_100.lamb_in1k/model.safetensors");
    let mut bytes = std::fs::read(&kept).expect("kept");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&kept, bytes).expect("written");
    let text = told(&train(&address, &caches, &data, &["--model", MODEL, "--pretrained", "--offline"]), 1);
    assert!(text.contains("has changed since it was downloaded"), "{text}");
}

#[test]
fn a_hub_that_lies_or_says_nothing_is_told_and_nothing_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, caches) = (photos(folder.path()), folder.path().join("caches"));
    let (address, _) = hub(Hub::Lies, b"no weights".to_vec());
    let text = told(&train(&address, &caches, &data, &["--model", MODEL, "--pretrained"]), 1);
    assert!(text.contains("is not the published file: its SHA-256 is"), "{text}");
    let (address, _) = hub(Hub::Stalls, vec![]);
    let text = told(&train(&address, &caches, &data, &["--model", MODEL, "--pretrained"]), 1);
    assert!(text.contains("HF_ENDPOINT names a mirror"), "{text}");
    let text = told(&train(&address, &caches, &data, &["--pretrained", "--offline"]), 1);
    assert!(text.contains("timm/efficientnet_lite0.ra_in1k is not in") && text.contains("--offline"), "{text}");
    assert!(!caches.join("weights/timm--mobilenetv3_small_100.lamb_in1k/model.safetensors").exists());
}

#[test]
fn weights_of_a_file_need_their_models_name_and_those_of_a_run_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, caches) = (photos(folder.path()), folder.path().join("caches"));
    let file = folder.path().join("own.safetensors");
    weights(&file);
    let given = format!("--pretrained={}", file.display());
    let nowhere = "http://127.0.0.1:1";
    let text = told(&train(nowhere, &caches, &data, &["--model", MODEL, &given]), 0);
    assert!(text.contains("begun with") && text.contains("fine-tuning"), "{text}");
    let text = told(&train(nowhere, &caches, &data, &[&given]), 1);
    assert!(text.contains("name their model with --model"), "{text}");
    // Whatever the file is called: what is in it tells.
    let other = folder.path().join("own.bin");
    std::fs::copy(&file, &other).expect("copied");
    let renamed = format!("--pretrained={}", other.display());
    let text = told(&train(nowhere, &caches, &data, &[&renamed]), 1);
    assert!(text.contains("holds weights of PyTorch's: name their model with --model"), "{text}");
    let text = told(&train(nowhere, &caches, &data, &["--model", MODEL, &renamed]), 0);
    assert!(text.contains("begun with"), "{text}");
    std::fs::write(&other, "no weights").expect("written");
    let text = told(&train(nowhere, &caches, &data, &[&renamed]), 1);
    assert!(!text.contains("PyTorch") && text.contains("own.bin"), "{text}");
    let run = format!("--pretrained={}", folder.path().join("run0").display());
    let text = told(&train(nowhere, &caches, &data, &[&run]), 0);
    assert!(text.contains("begun with") && !text.contains("anew begin"), "{text}");
    let wrong = ["train", arg(&data), "--model", "small-cnn", "--pretrained"];
    expect_error(1, &wrong, &["no weights are known for the model small-cnn", "resnet18"]);
    expect_error(2, &["train", arg(&data), "--pretrained=nowhere.pth"], &["nowhere.pth", "no such file"]);
}
