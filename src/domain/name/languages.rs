//! Names for tests, on every wire too: languages of all scripts that Unicode recommends, and emoji.

/// Names in the scripts that Unicode recommends for identifiers (UAX 31, table 5).
pub(crate) const LANGUAGES: [(&str, &str); 32] = [
    ("Amharic", "ሰላም አዲስ"),
    ("Arabic", "محمد العربية"),
    ("Armenian", "Հայերեն"),
    ("Bengali", "বাংলা র‍্যাব ক্ষ"),
    ("Burmese", "မြန်မာဘာသာ"),
    ("Chinese", "中文聊天室"),
    ("Czech", "Příliš žluťoučký"),
    ("Divehi", "ދިވެހިބަސް"),
    ("English", "O'Brien-Smith"),
    ("Georgian", "ქართული"),
    ("Greek", "Ελληνικά"),
    ("Gujarati", "ગુજરાતી"),
    ("Hebrew", "שָׁלוֹם עולם"),
    ("Hindi", "हिन्दी क्‍ष"),
    ("Japanese", "日本語ルーム・ひらがな"),
    ("Kannada", "ಕನ್ನಡ"),
    ("Khmer", "ភាសាខ្មែរ"),
    ("Korean", "한국어"),
    ("Lao", "ພາສາລາວ"),
    ("Malayalam", "മലയാളം"),
    ("Marathi", "मराठी"),
    ("Odia", "ଓଡ଼ିଆ"),
    ("Persian", "علی‌رضا"),
    ("Punjabi", "ਪੰਜਾਬੀ"),
    ("Russian", "Привет Ёжик"),
    ("Sinhala", "ශ්‍රී ලංකා"),
    ("Tamil", "தமிழ்"),
    ("Telugu", "తెలుగు"),
    ("Thai", "ภาษาไทยน้ำ"),
    ("Tibetan", "བོད་ཡིག"),
    ("Ukrainian", "Їжак Ґанок"),
    ("Vietnamese", "Tiếng Việt ữ"),
];

/// Emoji: sequences, flags, skin tones and styles.
pub(crate) const EMOJI: [&str; 10] =
    ["😀", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪", "👍🏽", "🏳️‍🌈", "❤️", "❤︎", "1️⃣", "ann 👩🏽‍🚀 x"];
