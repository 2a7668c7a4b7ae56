internal import SluiceClient

/// Publishes the lines of an input, request by request, in their order.
///
/// One request is under way at a time: with several, a refused one that is sent again would come
/// behind the next.
struct LineUpload {
    private let client: BrokerClient
    /// What was done to the events, for the summary.
    private let verb: String
    private let patience: Duration
    /// The user's: requests are then cut by content alone, so that a second run sends the same
    /// ones.
    private let idempotencyKey: String?
    private let printsJSON: Bool
    /// Reads a line; `nil` if it holds no event.
    private let read: ([UInt8]) throws(SluiceError) -> OutgoingEvent?

    private var batch = PublishBatch()
    private var requests = 0
    private var published = 0
    private var repeated = 0
    private var topics: Set<String> = []
    private var progress = Progress()
    private let began = ContinuousClock.now

    init(
        client: BrokerClient, verb: String = "published", patience: Duration,
        idempotencyKey: String? = nil, printsJSON: Bool,
        read: @escaping ([UInt8]) throws(SluiceError) -> OutgoingEvent?
    ) {
        self.client = client
        self.verb = verb
        self.patience = patience
        self.idempotencyKey = idempotencyKey
        self.printsJSON = printsJSON
        self.read = read
    }

    /// Publishes all lines, and tells a summary on standard error.
    ///
    /// - Throws: The first failure, with the line; what came in earlier requests is published.
    mutating func run(_ input: InputFile) async throws {
        var splitter = LineSplitter()
        var line = 0
        while true {
            let bytes = try input.read()
            var lines = splitter.take(bytes)
            if bytes.isEmpty, let last = splitter.finish() { lines.append(last) }
            for text in lines {
                line += 1
                try await add(text, line: line)
            }
            if bytes.isEmpty { break }
            // A slow source's lines go out at once; a fast one's fill the request.
            if idempotencyKey == nil, !input.isReady { try await send() }
        }
        try await send()
        progress.clear()
        Output.error.line(summary)
    }

    private mutating func add(_ text: [UInt8], line: Int) async throws {
        let event: OutgoingEvent?
        do throws(SluiceError) {
            event = try read(text)
        } catch {
            try await send()
            progress.clear()
            throw CommandFailure(
                .failed, "Line \(line): \(error.message) \(sofar)", remedy: error.remedy)
        }
        guard let event else { return }
        if !batch.takes(event) { try await send() }
        batch.append(event)
    }

    private mutating func send() async throws {
        guard !batch.isEmpty else { return }
        let sending = batch
        batch = PublishBatch()
        requests += 1
        let key = idempotencyKey.map { "\($0)-\(requests)" }
        let results: [PublishResult]
        do {
            results = try await client.publish(
                sending.events, idempotencyKey: key, retryingFor: patience)
        } catch let error as SluiceError {
            progress.clear()
            if let failure = CommandFailure(error) {
                throw CommandFailure(
                    failure.status, "\(failure.message) \(sofar)", remedy: failure.remedy)
            }
            throw error
        }
        for result in results {
            published += 1
            if result.isRepeat { repeated += 1 }
            topics.insert(result.topic)
        }
        if printsJSON {
            Output.standard.write(results.flatMap { $0.json + [0x0A] })
        }
        let text = summary
        progress.show(text)
    }

    private var sofar: String { "Before it, \(published) events were \(verb)." }

    private var summary: String {
        let seconds = Double((ContinuousClock.now - began).milliseconds) / 1000
        let repeats = repeated == 0 ? "" : ", \(repeated) of them \(verb) before"
        return "\(verb) \(published) \(published == 1 ? "event" : "events") to "
            + "\(topics.count) \(topics.count == 1 ? "topic" : "topics") in \(seconds) s\(repeats)"
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
