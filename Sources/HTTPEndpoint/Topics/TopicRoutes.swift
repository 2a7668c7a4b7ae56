internal import AccessControl
internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// `/v1/topics`: list, describe, create, alter, delete, purge.
struct TopicRoutes: Sendable {
    let log: any EventLog
    let limits: Limits

    /// Topics of one page of the list, if the request does not say.
    static let pageTopics = 100

    var routes: [Route] {
        [
            Route(
                method: .GET, path: "/v1/topics",
                summary: "Lists the topics by name that the sender may read.",
                query: [
                    .init("match", "A pattern; all without it.", JSONSchema.pattern),
                    .init(
                        "limit", "Topics of the page.", Self.count(limits.pageTopicsMax)),
                    .init("after", "The name behind which it begins.", JSONSchema.topic),
                ],
                results: [.json("A page of the list.", "TopicList", headers: ["Link"])],
                errors: [.invalidPattern, .invalidTopic], action: .answer(list)),
            Route(
                method: .GET, path: "/v1/topics/{topic}",
                summary: "Describes a topic: settings, ends, size.", access: .viewer,
                headers: [Self.ifNoneMatch],
                results: [
                    .json("The topic.", "Topic", headers: ["ETag"]),
                    RouteResult(status: 304, text: "The settings are those of the ETag."),
                ],
                errors: [.topicNotFound], action: .answer(describe)),
            Route(
                method: .PUT, path: "/v1/topics/{topic}",
                summary: "Creates a topic, or replaces all of its settings.",
                access: .manager, headers: [Self.ifMatch, Self.ifNoneMatch], bodies: [.json],
                bodySchemas: [.json: DocumentSchemas.reference("TopicSettings")],
                results: [
                    .json("The topic, changed.", "Topic", headers: ["ETag"]),
                    .json(
                        "The topic, created.", "Topic", status: 201,
                        headers: ["ETag", "Location"]),
                ],
                errors: [.topicNotFound, .topicExists, .revisionMoved, .outcomeUnknown],
                action: .answer(put)),
            Route(
                method: .PATCH, path: "/v1/topics/{topic}",
                summary: "Changes some of a topic's settings.",
                access: .manager, headers: [Self.ifMatch], bodies: [.mergePatch],
                bodySchemas: [.mergePatch: DocumentSchemas.reference("TopicSettings")],
                results: [.json("The topic, changed.", "Topic", headers: ["ETag"])],
                errors: [.topicNotFound, .topicExists, .revisionMoved, .outcomeUnknown],
                action: .answer(patch)),
            Route(
                method: .DELETE, path: "/v1/topics/{topic}",
                summary: "Deletes a topic with its events.", access: .manager,
                headers: [Self.ifMatch],
                results: [.json("The topic, as it was.", "Topic")],
                errors: [.topicNotFound, .revisionMoved, .outcomeUnknown],
                action: .answer(delete)),
            Route(
                method: .DELETE, path: "/v1/topics/{topic}/events",
                summary: "Purges a topic's events before an offset.",
                access: .manager,
                query: [
                    .init(
                        "before", "The first offset to keep.", JSONSchema.positive,
                        isRequired: true)
                ],
                headers: [Self.ifMatch],
                results: [.json("The topic, as it is now.", "TopicPurge", headers: ["ETag"])],
                errors: [.topicNotFound, .revisionMoved, .ephemeralTopic, .outcomeUnknown],
                action: .answer(purge)),
        ]
    }

    private static let ifMatch = RouteParameter(
        "If-Match", "Acts only on settings of this revision, in quotes.", JSONSchema.text)
    private static let ifNoneMatch = RouteParameter(
        "If-None-Match", "With PUT '*': only creates. With GET the ETag that is known.",
        JSONSchema.text)

    private static func count(_ most: Int) -> JSONTree {
        ["type": "integer", "minimum": 1, "maximum": .integer(Int64(most))]
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
        let patterns =
            switch Permission(of: request.incoming.identity).may(list: pattern) {
            case .all: [pattern]
            case .none: [TopicPattern]()
            case .narrowed(let fewer): fewer
            }
        var topics = try await log.list(matching: patterns, after: after, count: count + 1)
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
        // What a browser keeps would be old: the ends of a topic move, and its revision stays.
        return EntityTag("\(description.revision)", cacheControl: "no-store")
            .answer(to: request) { .json(.ok, TopicDocument.encode(description)) }
    }

    /// Creates, or replaces all settings.
    @Sendable private func put(_ request: RouteRequest) async throws -> HTTPAnswer {
        let topic = try request.topic()
        let condition = try TopicCondition(request.headers)
        let changes = try changes(request, topic, onto: TopicChanges(TopicSettings()))
        if !condition.mustExist {
            do throws(BrokerError) {
                let settings = changes.applied(to: TopicSettings())
                let created = try await log.create(topic, settings: settings)
                var answer = Self.answer(.created, created)
                answer.headers.add(name: "location", value: "/v1/topics/\(topic.text)")
                return answer
            } catch {
                guard error.code == .topicExists, !condition.mustBeNew else { throw error }
            }
        }
        return Self.answer(
            .ok, try await log.alter(topic, changes, ifRevision: condition.revision))
    }

    @Sendable private func patch(_ request: RouteRequest) async throws -> HTTPAnswer {
        let topic = try request.topic()
        let revision = try TopicCondition.revision(request.headers)
        let changes = try changes(request, topic, onto: TopicChanges())
        return Self.answer(.ok, try await log.alter(topic, changes, ifRevision: revision))
    }

    /// Answers the topic as it was.
    @Sendable private func delete(_ request: RouteRequest) async throws -> HTTPAnswer {
        let topic = try request.topic()
        let revision = try TopicCondition.revision(request.headers)
        let gone = try await log.delete(topic, ifRevision: revision)
        return .json(.ok, TopicDocument.encode(gone))
    }

    @Sendable private func purge(_ request: RouteRequest) async throws -> HTTPAnswer {
        let topic = try request.topic()
        let revision = try TopicCondition.revision(request.headers)
        guard let text = request.query["before"], let before = Cursor.offset(text), before >= 1
        else {
            throw BrokerError(
                .invalidRequest, "The query has no 'before' with the first offset to keep.",
                remedy: "Send ?before=N; one beyond the latest offset purges all.",
                at: InputPlace(field: "before"))
        }
        let purge = try await log.purge(topic, before: before, ifRevision: revision)
        return .json(
            .ok, TopicDocument.encode(purge), headers: ["etag": "\"\(purge.topic.revision)\""])
    }

    private func changes(
        _ request: RouteRequest, _ topic: TopicName, onto base: TopicChanges
    ) throws(BrokerError) -> TopicChanges {
        try TopicSettingsDocument.decode(
            Array(request.incoming.body.readableBytesView), topic: topic, limits: limits,
            onto: base)
    }

    private static func answer(
        _ status: HTTPResponseStatus, _ topic: TopicDescription
    ) -> HTTPAnswer {
        .json(
            status, TopicDocument.encode(topic), headers: ["etag": "\"\(topic.revision)\""])
    }
}
