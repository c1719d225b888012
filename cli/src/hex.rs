//! Bytes as digits.

use std::fmt::Write;

/// Two lower-case digits a byte.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of such a text, of either case.
pub(crate) fn read(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Sixteen bytes a line, with their place in front and as characters behind.
pub(crate) fn dump(bytes: &[u8]) -> Vec<String> {
    let line = |(at, chunk): (usize, &[u8])| {
        let digits: Vec<String> = chunk.chunks(8).map(spaced).collect();
        format!("{:08x}  {:<48}  |{}|", 16 * at, digits.join("  "), shown(chunk))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Bytes as plain characters, a dot for every other.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    bytes.iter().map(|byte| if plain(byte) { char::from(*byte) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_digits() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&text(&bytes)).as_deref(), Some(&bytes[..]));
        assert_eq!(read("FF0a").as_deref(), Some(&[0xff, 0x0a][..]));
        for wrong in ["0", "0g", "é", "0x00"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_dump_shows_place_digits_and_characters() {
        let lines = dump(b"tcpshm\0\x01 and so on");
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            "00000000  74 63 70 73 68 6d 00 01  20 61 6e 64 20 73 6f 20  |tcpshm.. and so |"
        );
        assert_eq!(lines[1].len(), lines[0].len() - 14);
    }
}
