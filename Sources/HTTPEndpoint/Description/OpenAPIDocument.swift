internal import EventModel
internal import NIOHTTP1

/// The description of HTTP (OpenAPI 3.1), made of the table of routes.
struct OpenAPIDocument {
    let routes: [Route]
    let version: String

    var tree: JSONTree {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Sluice", "version": .string(version),
                "summary": "Live data streaming: publish JSON events, read and follow them.",
                "description":
                    .string(
                        "HEAD comes with every GET. The sessions over WebSockets are described by "
                            + "/asyncapi.json."),
                "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "paths": paths,
            "components": [
                "securitySchemes": ["bearer": ["type": "http", "scheme": "bearer"]],
                "schemas": .object(DocumentSchemas.named.map { ($0.name, $0.schema) }),
            ],
        ]
    }

    private var paths: JSONTree {
        var paths: [(name: String, value: JSONTree)] = []
        for route in routes {
            let operation = (route.method.rawValue.lowercased(), operation(route))
            if let index = paths.firstIndex(where: { $0.name == route.path }) {
                paths[index].value = paths[index].value.with(operation.0, operation.1)
            } else {
                paths.append((route.path, .object([operation])))
            }
        }
        return .object(paths)
    }

    private func operation(_ route: Route) -> JSONTree {
        let parameters =
            route.pathParameters.map { parameter($0, in: "path") }
            + (route.query.members + route.followQuery).map { parameter($0, in: "query") }
            + route.headers.map { parameter($0, in: "header") }
        return .members([
            ("operationId", .string(route.operationID)),
            ("summary", .string(route.summary)),
            ("security", route.access == .everybody ? [] : [["bearer": []]]),
            ("parameters", parameters.isEmpty ? nil : .array(parameters)),
            ("requestBody", requestBody(route)),
            ("responses", responses(route)),
        ])
    }

    private func parameter(_ parameter: RouteParameter, in place: String) -> JSONTree {
        .members([
            ("name", .string(parameter.name)), ("in", .string(place)),
            ("required", .boolean(parameter.isRequired || place == "path")),
            ("description", parameter.text.isEmpty ? nil : .string(parameter.text)),
            ("schema", parameter.schema),
        ])
    }

    private func requestBody(_ route: Route) -> JSONTree? {
        guard !route.bodies.isEmpty else { return nil }
        let content = route.bodies.map { type in
            let schema = route.bodySchemas[type] ?? JSONSchema.any
            return (type.rawValue, ["schema": schema] as JSONTree)
        }
        return ["required": true, "content": .object(content)]
    }

    private func responses(_ route: Route) -> JSONTree {
        var responses = route.results.map { ("\($0.status)", response($0)) }
        let codes = Dictionary(grouping: route.errorCodes, by: \.httpStatus)
        for (status, codes) in codes.sorted(by: { $0.key < $1.key }) {
            responses.append(("\(status)", problem(codes)))
            // A target that is too long has a status of its own.
            if codes.contains(.headersTooLarge) { responses.append(("414", problem(codes))) }
        }
        return .object(responses)
    }

    private func response(_ result: RouteResult) -> JSONTree {
        let content = result.content.map { content in
            (
                content.type.rawValue,
                JSONTree.members([
                    ("schema", content.schema),
                    ("example", content.example.map { .text(Array($0.utf8)) }),
                ])
            )
        }
        let headers = result.headers.map { name in
            (
                name,
                ["schema": JSONSchema.text, "description": .string(Self.meaning(name))] as JSONTree
            )
        }
        return .members([
            ("description", .string(result.text)),
            ("headers", headers.isEmpty ? nil : .object(headers)),
            ("content", content.isEmpty ? nil : .object(content)),
        ])
    }

    private static func meaning(_ header: String) -> String {
        switch header {
        case "ETag": "What If-Match and If-None-Match are compared with."
        case "Location": "Where what was made is."
        case "Link": "The next page, with rel=\"next\"."
        case "Sluice-Cursor": "The next page is behind it."
        case "Sluice-Caught-Up": "true: there was nothing behind the cursor."
        default: ""
        }
    }

    private func problem(_ codes: [ErrorCode]) -> JSONTree {
        let examples = codes.map { code in
            (
                code.rawValue,
                ["value": .text(ProblemDocument.example(of: code).body)] as JSONTree
            )
        }
        let schema: JSONTree = [
            "allOf": [
                DocumentSchemas.reference("Problem"),
                ["properties": ["code": ["enum": .strings(codes.map(\.rawValue))]]],
            ]
        ]
        return [
            "description": .string(codes.map(\.title).joined(separator: ". ") + "."),
            "content": [
                "application/problem+json": ["schema": schema, "examples": .object(examples)]
            ],
        ]
    }
}

extension Route {
    /// `get_v1_topics_topic_events`.
    fileprivate var operationID: String {
        let segments = path.split { "/{}.".contains($0) }
        return ([method.rawValue.lowercased()] + segments.map(String.init)).joined(separator: "_")
    }

    /// What its query may have with `follow` alone.
    fileprivate var followQuery: [RouteParameter] {
        guard isFollowed else { return [] }
        return webSocketQuery.members.filter { !query.names.contains($0.name) }.map {
            RouteParameter($0.name, "With 'follow': \($0.text)", $0.schema)
        }
    }

    var pathParameters: [RouteParameter] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { segment in
            let name = String(segment.dropFirst().dropLast())
            return switch name {
            case "topic": RouteParameter(name, "The topic's name.", JSONSchema.topic)
            case "offset": RouteParameter(name, "The event's offset.", JSONSchema.positive)
            case "code":
                RouteParameter(
                    name, "A code.", JSONSchema.oneOf(ErrorCode.allCases.map(\.rawValue)))
            default: RouteParameter(name, "", JSONSchema.text)
            }
        }
    }
}
