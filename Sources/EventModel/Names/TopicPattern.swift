/// A topic name in which `*` stands for one segment and a final `>` for one or more (doc:Words).
///
/// A name without wildcards is a pattern too; it matches itself.
package struct TopicPattern: Hashable, Sendable, CustomStringConvertible {
    /// The pattern as text.
    package let text: String

    private let segments: [Segment]

    private enum Segment: Hashable {
        case literal(Substring)
        case any
        case rest
    }

    package var description: String { text }

    /// The name, if the pattern has no wildcard.
    package let exactName: TopicName?

    /// Checks the grammar.
    ///
    /// - Throws: `invalid_pattern` with the offending part and a remedy.
    package init(_ text: String) throws(BrokerError) {
        try TopicName.check(text, code: .invalidPattern) { segment in
            segment == "*" || segment == ">" || segment.utf8.allSatisfy(TopicName.isSegmentByte)
        }
        let segments = text.split(separator: ".").map { segment in
            switch segment {
            case "*": Segment.any
            case ">": Segment.rest
            default: Segment.literal(segment)
            }
        }
        guard !segments.dropLast().contains(.rest) else {
            throw BrokerError(.invalidPattern, "In \(quoted(text)), '>' is not the last segment.")
        }
        self.text = text
        self.segments = segments
        exactName = segments.contains { $0 == .any || $0 == .rest } ? nil : try TopicName(text)
    }

    /// The pattern that matches exactly one topic.
    package init(_ name: TopicName) {
        text = name.text
        segments = name.text.split(separator: ".").map { .literal($0) }
        exactName = name
    }

    private init(_ text: String, _ segments: [Segment]) {
        self.text = text
        self.segments = segments
        exactName = nil
    }

    /// Matches every topic but the broker's own.
    package static let everything = TopicPattern(">", [.rest])

    /// Matches the broker's own topics.
    package static let reserved = TopicPattern("sluice.>", [.literal("sluice"), .rest])

    /// Tells whether the topic belongs to the pattern.
    ///
    /// A reserved topic is matched only if the pattern's first segment is the literal `sluice`
    /// (doc:CommonRules).
    package func matches(_ name: TopicName) -> Bool {
        if let exactName { return exactName == name }
        if name.isReserved, segments.first != .literal("sluice") { return false }
        var rest = name.text[...]
        for (index, segment) in segments.enumerated() {
            if segment == .rest { return true }
            let end = rest.firstIndex(of: ".") ?? rest.endIndex
            if case .literal(let literal) = segment, literal != rest[..<end] { return false }
            let isLast = index == segments.count - 1
            guard end < rest.endIndex else { return isLast }
            if isLast { return false }
            rest = rest[rest.index(after: end)...]
        }
        return false
    }

    /// What the name of every topic begins with that matches.
    package var literalPrefix: String {
        if let exactName { return exactName.text }
        let literals = segments.prefix { $0 != .any && $0 != .rest }.count
        return text.split(separator: ".").prefix(literals).map { $0 + "." }.joined()
    }

    /// Could a topic match both? Judged by the patterns, not by today's topics (doc:Session).
    package func overlaps(_ other: TopicPattern) -> Bool {
        if isReservedOnly != other.isReservedOnly, startsWithWildcard || other.startsWithWildcard {
            return false
        }
        var index = 0
        while index < segments.count, index < other.segments.count {
            switch (segments[index], other.segments[index]) {
            case (.rest, _), (_, .rest): return true
            case (.literal(let mine), .literal(let its)): if mine != its { return false }
            case (.any, _), (_, .any): break
            }
            index += 1
        }
        return segments.count == other.segments.count
    }

    /// What matches both; `nil`: no topic does.
    ///
    /// As `>` stands at the end alone, that is one pattern.
    package func intersection(_ other: TopicPattern) -> TopicPattern? {
        guard overlaps(other) else { return nil }
        if exactName != nil { return self }
        if other.exactName != nil { return other }
        var common: [Segment] = []
        for (mine, its) in zip(segments, other.segments) {
            switch (mine, its) {
            // Which stands for whatever else there is of the other one.
            case (.rest, _): return TopicPattern(common + other.segments[common.count...])
            case (_, .rest): return TopicPattern(common + segments[common.count...])
            case (.any, let segment), (let segment, _): common.append(segment)
            }
        }
        return TopicPattern(common)
    }

    /// Whether it matches every topic that the other one does.
    package func covers(_ other: TopicPattern) -> Bool { intersection(other) == other }

    private init?(_ segments: [Segment]) {
        let text = segments.map { segment in
            switch segment {
            case .literal(let text): String(text)
            case .any: "*"
            case .rest: ">"
            }
        }.joined(separator: ".")
        // Its parts are valid, and only its length could be too much: then no topic matches it.
        guard let pattern = try? TopicPattern(text) else { return nil }
        self = pattern
    }

    private var isReservedOnly: Bool { segments.count > 1 && segments[0] == .literal("sluice") }
    private var startsWithWildcard: Bool { segments[0] == .any || segments[0] == .rest }
}
