internal import EventModel

/// What a token may do, in words.
func grantsText(_ grants: Grants) -> String {
    if grants == .everything { return "do everything" }
    var parts: [String] = []
    if !grants.publish.isEmpty { parts.append("publish to \(list(grants.publish))") }
    if !grants.subscribe.isEmpty { parts.append("read \(list(grants.subscribe))") }
    if grants.admin.contains(.topics) { parts.append("manage topics") }
    return parts.isEmpty ? "do nothing" : parts.joined(separator: "; ")
}

private func list(_ patterns: [TopicPattern]) -> String {
    patterns.map(\.text).joined(separator: ", ")
}
