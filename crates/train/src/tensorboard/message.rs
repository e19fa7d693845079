//! Messages of protocol buffers, written field by field: TensorBoard needs five kinds of them and nothing is read.

/// A message as its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn varint(mut self, mut value: u64) -> Message {
        while value >= 128 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn key(self, field: u64, kind: u64) -> Message {
        self.varint(field << 3 | kind)
    }

    /// An integer.
    pub fn number(self, field: u64, value: u64) -> Message {
        self.key(field, 0).varint(value)
    }

    pub fn double(self, field: u64, value: f64) -> Message {
        let mut message = self.key(field, 1);
        message.0.extend(value.to_le_bytes());
        message
    }

    pub fn float(self, field: u64, value: f32) -> Message {
        let mut message = self.key(field, 5);
        message.0.extend(value.to_le_bytes());
        message
    }

    pub fn bytes(self, field: u64, bytes: &[u8]) -> Message {
        let mut message = self.key(field, 2).varint(bytes.len() as u64);
        message.0.extend(bytes);
        message
    }

    pub fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, inner: Message) -> Message {
        self.bytes(field, &inner.0)
    }

    /// Packed, one behind the other.
    pub fn doubles(self, field: u64, values: &[f64]) -> Message {
        self.bytes(field, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn fields_are_written_as_the_format_has_them() {
        // The example of the format's own description: field 1 with 150, and field 2 with "testing".
        assert_eq!(Message::default().number(1, 150).as_bytes(), [8, 0x96, 1]);
        assert_eq!(Message::default().text(2, "testing").as_bytes(), [&[0x12, 7], &b"testing"[..]].concat());
        assert_eq!(Message::default().float(2, 1.0).as_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, inner).as_bytes(), [0x1a, 3, 8, 0x96, 1]);
        assert_eq!(Message::default().doubles(6, &[0.0]).as_bytes(), [0x32, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
