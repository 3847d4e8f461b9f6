//! Numbers in sentences.

/// So many of something: `1 attempt`, `2 attempts`.
pub fn counted(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// How often: `once`, `2 times`.
pub fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// The form of a verb, or of another word, that goes with so many.
pub const fn agreeing(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// `a`, `a and b`, `a, b and c`.
pub fn enumerated(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

/// A number with its digits in groups of three: `1,048,576`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_is_joined_by_and() {
        let parts = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([0, 1, 2, 3].map(|count| enumerated(&parts[..count])), ["", "a", "a and b", "a, b and c"]);
    }

    #[test]
    fn digits_are_in_groups_of_three() {
        let texts = [0, 999, 1000, 1_048_576, 12_345].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,048,576", "12,345"]);
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "end")), ["0 ends", "1 end", "2 ends"]);
        assert_eq!([0, 1, 2].map(times), ["0 times", "once", "2 times"]);
        assert_eq!([0, 1, 2].map(|count| agreeing(count, "is", "are")), ["are", "is", "are"]);
    }
}
