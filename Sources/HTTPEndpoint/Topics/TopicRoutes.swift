internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// `/v1/topics`: list, describe, create.
struct TopicRoutes: Sendable {
    let log: any EventLog
    let limits: Limits

    /// Topics of one page of the list, if the request does not say.
    static let pageTopics = 100

    var routes: [Route] {
        [
            Route(
                method: .GET, path: "/v1/topics", summary: "Lists topics by name.",
                query: ["match", "limit", "after"], action: .answer(list)),
            Route(
                method: .GET, path: "/v1/topics/{topic}",
                summary: "Describes a topic: settings, ends, size.", access: .reader,
                action: .answer(describe)),
            Route(
                method: .PUT, path: "/v1/topics/{topic}", summary: "Creates a topic.",
                access: .manager, bodies: [.json], action: .answer(create)),
        ]
    }

    @Sendable private func list(
        _ request: RouteRequest
    ) async throws -> HTTPAnswer {
        let query = request.query
        let pattern = try TopicPattern(query["match"] ?? ">")
        let after = try query["after"].map { name throws(BrokerError) in try TopicName(name) }
        let count = try query.count(
            "limit", default: min(Self.pageTopics, limits.pageTopicsMax),
            most: limits.pageTopicsMax)
        var topics = try await log.list(matching: pattern, after: after, count: count + 1)
        guard topics.count > count else {
            return .json(.ok, TopicDocument.encode(topics, next: nil))
        }
        topics.removeLast(topics.count - count)
        let next = topics[count - 1].position.topic
        let match = percentEncoded(pattern.text)
        let target = "/v1/topics?match=\(match)&limit=\(count)&after=\(next.text)"
        return .json(
            .ok, TopicDocument.encode(topics, next: next),
            headers: ["link": "<\(target)>; rel=\"next\""])
    }

    @Sendable private func describe(
        _ request: RouteRequest
    ) async throws -> HTTPAnswer {
        let topic = try request.topic()
        guard let description = try await log.describe(topic) else {
            throw BrokerError(.topicNotFound, "There is no topic \(quoted(topic.text)).")
        }
        return Self.answer(.ok, description)
    }

    /// Creates; settings that the topic has already are a success, so that a script can say them
    /// again.
    @Sendable private func create(
        _ request: RouteRequest
    ) async throws -> HTTPAnswer {
        let topic = try request.topic()
        let mustBeNew = try Self.mustBeNew(request)
        let settings = try TopicSettingsDocument.decode(
            Array(request.incoming.body.readableBytesView), topic: topic, limits: limits)
        do throws(BrokerError) {
            var answer = Self.answer(.created, try await log.create(topic, settings: settings))
            answer.headers.add(name: "location", value: "/v1/topics/\(topic.text)")
            return answer
        } catch {
            guard error.code == .topicExists, !mustBeNew else { throw error }
            return try await repeated(topic, settings, conflict: error)
        }
    }

    private func repeated(
        _ topic: TopicName, _ settings: TopicSettings, conflict: BrokerError
    ) async throws(BrokerError) -> HTTPAnswer {
        // Deleted again meanwhile: the conflict is what the client was told to expect.
        guard let description = try await log.describe(topic) else { throw conflict }
        guard description.settings == settings else {
            throw BrokerError(
                .topicExists,
                "The topic \(topic) exists with other settings; "
                    + "altering them is not offered by this version.",
                remedy: "Use the topic as it is, or choose another name.")
        }
        return Self.answer(.ok, description)
    }

    /// - Throws: `invalid_request` for conditions on a change, which there is none of.
    private static func mustBeNew(_ request: RouteRequest) throws(BrokerError) -> Bool {
        guard !request.headers.contains(name: "if-match") else {
            throw BrokerError(
                .invalidRequest, "If-Match does not fit: altering is not offered by this version.",
                remedy: "Send If-None-Match: * to create the topic.",
                at: InputPlace(field: "If-Match"))
        }
        switch request.headers.first(name: "if-none-match") {
        case nil: return false
        case "*": return true
        case .some(let other):
            throw BrokerError(
                .invalidRequest, "If-None-Match is \(quoted(other)), not '*'.",
                at: InputPlace(field: "If-None-Match"))
        }
    }

    private static func answer(
        _ status: HTTPResponseStatus, _ topic: TopicDescription
    ) -> HTTPAnswer {
        .json(
            status, TopicDocument.encode(topic), headers: ["etag": "\"\(topic.revision)\""])
    }
}
