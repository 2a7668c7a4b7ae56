/// A time in one incarnation of the log below which nothing can commit there any more: what a
/// subscriber has been told of by then, and what is new after it (doc:Log, "Marks").
package struct LogMark: Hashable, Sendable {
    package var incarnation: String
    package var bound: Timestamp

    package init(incarnation: String, bound: Timestamp) {
        self.incarnation = incarnation
        self.bound = bound
    }
}

/// Where topics begin that a subscriber never saw when it resumes: what its first start said of
/// them, as of a mark (doc:Session, "Exact resume").
///
/// Opaque to clients: `mark:<word>.<incarnation>.<bound>`, with the bound in microseconds since
/// 1970 in base 36. All characters may stand in a URL as they are.
package struct ResumeMark: Hashable, Sendable {
    /// What the first start said.
    ///
    /// A time, an offset and a cursor are a `latest` of their own: they
    /// are in the mark's bound, or in the topics' cursors.
    package enum Word: Hashable, Sendable {
        case latest
        case earliest
        case last(Int)
    }

    package let word: Word
    package let mark: LogMark

    /// Taken off the log's mark, for what a node was not told of yet, and for a clock that is set
    /// back within one incarnation.
    package static let margin = Duration.seconds(60)
    /// Longer ones are none; they would be numbers that do not fit.
    private static let boundLengthMax = 12

    package init(word: Word, mark: LogMark) {
        self.word = word
        // No event is older, and a bound has no sign.
        let bound = max(mark.bound, Timestamp(microseconds: 0))
        self.mark = LogMark(incarnation: mark.incarnation, bound: bound)
    }

    /// The mark of a subscription that begins now.
    ///
    /// - Parameters:
    ///   - start: Where it begins. One that is a mark already stays what it is, because what lies
    ///     between the two may not have been delivered.
    ///   - now: The broker's clock, from which `ago:` counts.
    ///   - mark: As the log says it.
    package init(of start: StartPosition, now: Timestamp, mark: LogMark) {
        let bound = mark.bound.advanced(by: .zero - Self.margin)
        let word: Word
        let early: Timestamp
        switch start {
        case .mark(let first):
            self = first
            return
        case .latest, .offset, .after: (word, early) = (.latest, bound)
        case .earliest: (word, early) = (.earliest, bound)
        case .last(let count): (word, early) = (.last(count), bound)
        // The first event that is not older than a time was not older than it then, either.
        case .time(let time): (word, early) = (.latest, min(time, bound))
        case .ago(let duration):
            (word, early) = (.latest, min(now.advanced(by: .zero - duration), bound))
        }
        self.init(word: word, mark: LogMark(incarnation: mark.incarnation, bound: early))
    }

    /// The last offset that counts as consumed.
    ///
    /// - Parameters:
    ///   - first: The first offset that is new since the mark. Below `earliest` if it is known to
    ///     be gone, which is then told as a gap.
    ///   - earliest: The oldest that is kept.
    /// - Returns: From 0; the next event is the first to come.
    package func cursor(first: Offset, earliest: Offset) -> Offset {
        let before = first - 1
        guard before >= earliest else { return before }
        switch word {
        case .latest: return before
        case .earliest: return earliest - 1
        case .last(let count): return max(before - Offset(count), earliest - 1)
        }
    }

    // MARK: Text

    /// Parses what `text` is behind `mark:`; `nil` if no broker wrote it so.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let word = Word(parts[0]), let epoch = Epoch(parts[1]),
            epoch.text.utf8.count == Epoch.incarnationLength,
            parts[2].utf8.count <= Self.boundLengthMax, let bound = Int64(parts[2], radix: 36),
            (0...Timestamp.max.microseconds).contains(bound)
        else { return nil }
        self.init(
            word: word,
            mark: LogMark(incarnation: epoch.text, bound: Timestamp(microseconds: bound)))
        // No sign, no capital, no zero in front.
        guard self.text == text else { return nil }
    }

    var text: String {
        "\(word.text).\(mark.incarnation).\(String(mark.bound.microseconds, radix: 36))"
    }
}

extension ResumeMark.Word {
    private static let last = "last-"

    fileprivate init?(_ text: some StringProtocol) {
        switch text {
        case "latest": self = .latest
        case "earliest": self = .earliest
        default:
            guard text.hasPrefix(Self.last), let count = Cursor.offset(text.dropFirst(5)),
                count >= 1
            else { return nil }
            self = .last(Int(count))
        }
    }

    fileprivate var text: String {
        switch self {
        case .latest: "latest"
        case .earliest: "earliest"
        case .last(let count): "\(Self.last)\(count)"
        }
    }
}
