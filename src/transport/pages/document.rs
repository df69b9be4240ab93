//! The chat page as browsers get it: a document that has its styles and the sign-in form in it, and
//! one file with all other modules.
//!
//! On a slow line every request that waits for another costs a round trip. So the form needs the
//! document alone, and what comes after it is requested while the document still arrives. Files
//! have the version in their path and are never asked for again.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::{
    files::{ClientPackage, PageFiles, PreparedFile},
    joiner::{JoinError, Joiner},
};

/// The page of the files that are in the binary.
pub(super) static CHAT_PAGE: LazyLock<ChatPage> = LazyLock::new(|| {
    let files = PageFiles::iter().filter_map(|name| {
        let content = PageFiles::get(&name)?.data;
        Some((name.into_owned(), String::from_utf8_lossy(&content).into_owned()))
    });
    let client = ClientPackage::get("dist/socket.io.esm.min.js").map(|it| it.data.into_owned());
    ChatPage::new(&files.collect(), client).expect("a test makes the page of the same files")
});

/// Why the page cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum PageError {
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("there is no file {0}")]
    Missing(String),
    #[error("the text of a style or script contains {0}")]
    Markup(&'static str),
}

#[derive(Debug)]
pub(super) struct ChatPage {
    /// Differs when any file differs.
    pub(super) version: String,
    pub(super) policy: HeaderValue,
    pub(super) document: PreparedFile,
    /// All modules that are not in the document.
    pub(super) app: PreparedFile,
    /// The official client, if it is built in.
    pub(super) client: Option<PreparedFile>,
}

impl ChatPage {
    fn new(files: &BTreeMap<String, String>, client: Option<Vec<u8>>) -> Result<Self, PageError> {
        let version = version(files, client.as_deref());
        let mut joiner = Joiner::new(files);
        let Inline { document, style, script } = Inline::new(files, &version, &mut joiner)?;
        let app = joiner.join("app.js")?;
        Ok(Self {
            version,
            policy: policy(&format!(" '{}'", hash(&script)), &format!(" '{}'", hash(&style))),
            document: PreparedFile::new(document.into_bytes()),
            app: PreparedFile::new(app.into_bytes()),
            client: client.map(PreparedFile::new),
        })
    }
}

/// What a page may do; everything else is refused by the browser. `scripts` and `styles` are more
/// sources of these.
pub(super) fn policy(scripts: &str, styles: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{styles}; img-src 'self' \
         blob: data:; connect-src 'self' ws: wss:; font-src 'self'; manifest-src 'self'; base-uri \
         'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("sources are plain text")
}

/// The document with what is in it.
#[derive(Debug)]
struct Inline {
    document: String,
    style: String,
    script: String,
}

impl Inline {
    /// Puts the styles and the module that `index.html` names into it, and the version into paths.
    fn new(
        files: &BTreeMap<String, String>,
        version: &str,
        joiner: &mut Joiner<'_>,
    ) -> Result<Self, PageError> {
        let file = |name: &str| files.get(name).ok_or_else(|| PageError::Missing(name.to_owned()));
        let versioned = |text: &str| text.replace("/assets/", &format!("/assets/{version}/"));
        let lines = file("index.html")?.lines();
        let styles =
            lines.clone().filter_map(style_of).map(|name| file(name).map(|it| versioned(it)));
        let style = styles.collect::<Result<String, _>>()?;
        let (mut document, mut script) = <(String, String)>::default();
        for line in lines.filter(|it| style_of(it).is_none()) {
            if let Some(name) = script_of(line) {
                script = versioned(&joiner.join(name)?);
                let style = ["<style>", &style, "</style>\n"].concat();
                let script = ["<script type=\"module\">", &script, "</script>\n"].concat();
                document.extend([style, script]);
            } else {
                document.extend([&versioned(line), "\n"]);
            }
        }
        for markup in ["</script", "<!--", "</style"] {
            if style.contains(markup) || script.contains(markup) {
                return Err(PageError::Markup(markup));
            }
        }
        Ok(Self { document, style, script })
    }
}

/// The file of styles that `line` names.
fn style_of(line: &str) -> Option<&str> {
    line.trim().strip_prefix("<link rel=\"stylesheet\" href=\"/assets/")?.strip_suffix("\">")
}

/// The module that `line` names, and that goes into the document: it has no id.
fn script_of(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("<script type=\"module\" src=\"/assets/")?;
    name.strip_suffix("\"></script>")
}

fn version(files: &BTreeMap<String, String>, client: Option<&[u8]>) -> String {
    let mut hash = Sha256::new();
    for (name, content) in files {
        hash.update(format!("{name} {}\n{content}", content.len()));
    }
    hash.update(client.unwrap_or_default());
    let hash = hash.finalize();
    format!("{:016x}", u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default()))
}

/// The source of a policy that lets in `text`.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "<head>\n  <link rel=\"stylesheet\" href=\"/assets/one.css\">\n  \
        <link rel=\"stylesheet\" href=\"/assets/two.css\">\n  \
        <script type=\"module\" src=\"/assets/form.js\"></script>\n  \
        <script id=\"app\" type=\"module\" src=\"/assets/app.js\"></script>\n</head>\n";

    fn files(form: &str) -> BTreeMap<String, String> {
        let files = [
            ("index.html", INDEX),
            ("one.css", "a { background: url(\"/assets/icon.svg\") }\n"),
            ("two.css", "b {}\n"),
            ("form.js", form),
            ("app.js", "import { x } from \"./form.js\";\n"),
        ];
        files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn styles_and_the_first_module_are_in_the_document() {
        let files = files("export const x = 1;\n");
        let page = Inline::new(&files, "7", &mut Joiner::new(&files)).unwrap();
        assert_eq!(page.style, "a { background: url(\"/assets/7/icon.svg\") }\nb {}\n");
        assert!(page.script.contains("const x = 1;"), "{}", page.script);
        let Inline { document, style, script } = page;
        let expected = format!(
            "<head>\n<style>{style}</style>\n<script type=\"module\">{script}</script>\n  <script \
             id=\"app\" type=\"module\" src=\"/assets/7/app.js\"></script>\n</head>\n"
        );
        assert_eq!(document, expected);
    }

    #[test]
    fn a_page_that_cannot_be_made_says_why() {
        let error = |files| ChatPage::new(&files, None).unwrap_err();
        assert_eq!(error(BTreeMap::new()), PageError::Missing("index.html".into()));
        let mut without = files("export const x = 1;\n");
        without.remove("two.css");
        assert_eq!(error(without), PageError::Missing("two.css".into()));
        for markup in ["</script", "<!--", "</style"] {
            assert_eq!(error(files(&format!("// {markup}\n"))), PageError::Markup(markup));
        }
        let JoinError::Unknown { module, .. } =
            Joiner::new(&files("export default 1;\n")).join("form.js").unwrap_err()
        else {
            panic!("not refused");
        };
        assert_eq!(module, "form.js");
    }

    #[test]
    fn the_version_differs_when_a_file_or_the_client_does() {
        let page =
            |form, client: &[u8]| ChatPage::new(&files(form), Some(client.to_vec())).unwrap();
        let first = page("export const x = 1;\n", b"client");
        assert_eq!(first.version, page("export const x = 1;\n", b"client").version);
        assert_ne!(first.version, page("export const x = 2;\n", b"client").version);
        assert_ne!(first.version, page("export const x = 1;\n", b"another").version);
    }

    #[test]
    fn the_policy_lets_in_exactly_what_the_document_contains() {
        let files = files("export const x = 1;\n");
        let page = ChatPage::new(&files, None).unwrap();
        let inline = Inline::new(&files, &page.version, &mut Joiner::new(&files)).unwrap();
        let policy = page.policy.to_str().unwrap().to_owned();
        let script = format!(
            "script-src 'self' 'sha256-{}';",
            STANDARD.encode(Sha256::digest(inline.script))
        );
        let style =
            format!("style-src 'self' 'sha256-{}';", STANDARD.encode(Sha256::digest(inline.style)));
        assert!(policy.contains(&script) && policy.contains(&style), "{policy}");
    }
}
