internal import EventModel

extension ConfigurationKey {
    /// The defaults of topics, which the database keeps (doc:Log, "Server defaults").
    static let topics: [ConfigurationKey] = [
        .sharedBound(
            "topics.retain_age", \.serverSettings.retainAge, "duration up to 36500d",
            "How long a topic keeps events; kept in the database, unlimited in a new one.",
            read: { text in duration(text, from: .microseconds(1)) }, show: durationText),
        .sharedBound(
            "topics.retain_count", \.serverSettings.retainCount, "number of events",
            "How many events a topic keeps; kept in the database, unlimited in a new one.",
            read: { text in
                Int64(text).flatMap { (1...Limits.integerMax).contains($0) ? $0 : nil }
            }, show: { String($0) }),
        .sharedBound(
            "topics.retain_bytes", \.serverSettings.retainBytes, "size",
            "How many bytes of events a topic keeps; kept in the database, unlimited in a new one.",
            read: { text in parseSize(text).flatMap { $0 < 1 ? nil : Int64($0) } },
            show: { sizeText(Int($0)) }),
        .shared(
            "topics.key_window", \.serverSettings.keyWindow, "duration from 1m to 36500d",
            "How long idempotency keys are kept, at least; kept in the database, 1d in a new one.",
            read: { text in duration(text, from: .seconds(60)) }, show: durationText),
    ]

    private static func duration(_ text: String, from least: Duration) -> Duration? {
        parseDuration(text).flatMap { (least...Limits.durationMax).contains($0) ? $0 : nil }
    }
}
