internal import SluiceClient

/// Turns what a subscription gives into lines: events for standard output, the rest beside it.
struct ItemPrinter {
    private let isJSON: Bool
    /// Events that are still wanted; `nil` for all.
    private var remaining: Int?
    private var output: [UInt8] = []
    private var errors: [UInt8] = []

    init(isJSON: Bool, remaining: Int?) {
        self.isJSON = isJSON
        self.remaining = remaining
    }

    var isDone: Bool { remaining == 0 }

    /// Adds the items' lines, up to the last event that is wanted.
    mutating func print(_ items: [SubscriptionItem]) {
        for item in items where !isDone {
            switch item {
            case .event(let event):
                remaining = remaining.map { $0 - 1 }
                if isJSON {
                    appendLine(event.message)
                } else {
                    output += "\(event.topic)  \(event.offset)  ".utf8
                    appendLine(event.data)
                }
            case .notice(let notice, let message):
                tell(notice, message)
            }
        }
    }

    /// What is for standard output; it is given once.
    mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// What is for standard error; it is given once.
    mutating func takeErrors() -> [UInt8] {
        defer { errors = [] }
        return errors
    }

    private mutating func tell(_ notice: SubscriptionNotice, _ message: [UInt8]?) {
        if isJSON, let message {
            appendLine(message)
        } else if let text = Self.text(notice) {
            errors += Table.printable(text).utf8
            errors.append(0x0A)
        }
    }

    /// One event, one line: published line ends can only stand between tokens, where a space means
    /// the same.
    private mutating func appendLine(_ bytes: [UInt8]) {
        for byte in bytes { output.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte) }
        output.append(0x0A)
    }

    /// A notice in words; `nil` for what needs none.
    static func text(_ notice: SubscriptionNotice) -> String? {
        switch notice {
        case .subscribed(_, let isResumed):
            isResumed ? "connected again; going on where it broke off" : nil
        case .live: "live"
        case .lagging(let behind): "lagging: \(behind) events behind, fed from the log"
        case .gap(let topic, let from, let to, let reason):
            "gap: \(topic) \(from) to \(to) will not come (\(reason))"
        case .reset(let topic, let reason): "reset: \(topic) begins anew (\(reason))"
        case .progress: nil
        case .disconnected(let reason, let wait):
            "disconnected: \(reason); trying again in \(Double(wait.milliseconds) / 1000) s"
        }
    }
}
