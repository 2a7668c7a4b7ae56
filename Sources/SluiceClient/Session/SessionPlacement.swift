internal import EventModel

/// Which session a subscription belongs to: the first one in which it overlaps no other, because a
/// topic is covered by one subscription of a session (doc:Session).
///
/// Pure.
struct SessionPlacement {
    fileprivate struct Line {
        let isBatched: Bool
        /// The broker would have no more.
        var isFull = false
        var names: Set<TopicName> = []
        var wildcards: [Int64: [TopicPattern]] = [:]
        var tree = PatternTree<Int64>()
        var members: Set<Int64> = []
    }

    private struct Member {
        let patterns: [TopicPattern]
        let isBatched: Bool
        var line: Int
    }

    /// In a broker's limits by default; what it refuses beyond moves on.
    static let membersMax = 1000

    private var lines: [Int: Line] = [:]
    private var members: [Int64: Member] = [:]
    private var lastLine = 0

    /// The session that a subscription is in.
    func line(of id: Int64) -> Int? { members[id]?.line }

    /// Finds a session for a subscription.
    ///
    /// - Returns: Its number; one that was not given before is a new session's.
    mutating func place(_ id: Int64, _ patterns: [TopicPattern], isBatched: Bool) -> Int {
        let fitting = lines.filter { $0.value.takes(patterns, isBatched: isBatched) }.keys.min()
        let line = fitting ?? newLine(isBatched: isBatched)
        members[id] = Member(patterns: patterns, isBatched: isBatched, line: line)
        lines[line]?.add(id, patterns)
        return line
    }

    /// The broker would not have a subscription beside the others of its session.
    ///
    /// - Returns: Its new session's number; `nil` if it is gone. The old one takes no more until
    ///   one of its subscriptions has left.
    mutating func moveApart(_ id: Int64) -> Int? {
        guard let member = members[id] else { return nil }
        lines[member.line]?.remove(id, member.patterns)
        lines[member.line]?.isFull = true
        let line = newLine(isBatched: member.isBatched)
        members[id]?.line = line
        lines[line]?.add(id, member.patterns)
        return line
    }

    /// Forgets a subscription.
    ///
    /// - Returns: The session that it was in, and whether that is empty now and forgotten.
    mutating func remove(_ id: Int64) -> (line: Int, isEmpty: Bool)? {
        guard let member = members.removeValue(forKey: id) else { return nil }
        lines[member.line]?.remove(id, member.patterns)
        lines[member.line]?.isFull = false
        let isEmpty = lines[member.line]?.members.isEmpty == true
        if isEmpty { lines[member.line] = nil }
        return (member.line, isEmpty)
    }

    private mutating func newLine(isBatched: Bool) -> Int {
        lastLine += 1
        lines[lastLine] = Line(isBatched: isBatched)
        return lastLine
    }
}

extension SessionPlacement.Line {
    fileprivate func takes(_ patterns: [TopicPattern], isBatched: Bool) -> Bool {
        guard self.isBatched == isBatched, !isFull, members.count < SessionPlacement.membersMax
        else { return false }
        return patterns.allSatisfy { pattern in
            if let name = pattern.exactName { return !names.contains(name) && !tree.matches(name) }
            return !names.contains { pattern.matches($0) }
                && !wildcards.values.contains { $0.contains { $0.overlaps(pattern) } }
        }
    }

    fileprivate mutating func add(_ id: Int64, _ patterns: [TopicPattern]) {
        members.insert(id)
        for pattern in patterns {
            if let name = pattern.exactName {
                names.insert(name)
            } else {
                wildcards[id, default: []].append(pattern)
                tree.insert(id, for: pattern)
            }
        }
    }

    fileprivate mutating func remove(_ id: Int64, _ patterns: [TopicPattern]) {
        members.remove(id)
        wildcards[id] = nil
        for pattern in patterns {
            if let name = pattern.exactName {
                names.remove(name)
            } else {
                tree.remove(pattern) { $0 == id }
            }
        }
    }
}
