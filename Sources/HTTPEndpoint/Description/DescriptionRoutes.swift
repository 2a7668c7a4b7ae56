internal import EventModel
internal import NIOHTTP1
internal import Synchronization
internal import Transport

/// `/openapi.json` and `/asyncapi.json`: the descriptions of the interface, for everybody.
struct DescriptionRoutes: Sendable {
    /// The other routes.
    let routes: [Route]
    let version: String

    var described: [Route] {
        let documents = [
            ("/openapi.json", "Describes HTTP (OpenAPI 3.1)."),
            ("/asyncapi.json", "Describes sessions and streams over WebSockets (AsyncAPI 3.0)."),
        ]
        var own = documents.map { path, summary in
            Route(
                method: .GET, path: path, summary: summary, access: .everybody,
                results: [
                    RouteResult(
                        text: "The description.", content: [.init(.json, ["type": "object"])],
                        headers: ["ETag"])
                ],
                action: .answer { _ in .json(.ok, []) })
        }
        let all = routes + own
        let (openAPI, asyncAPI) = (
            OnceMade { [version] in OpenAPIDocument(routes: all, version: version).tree.bytes },
            OnceMade { [version] in AsyncAPIDocument(routes: all, version: version).tree.bytes }
        )
        own[0].action = .answer { openAPI.answer(to: $0) }
        own[1].action = .answer { asyncAPI.answer(to: $0) }
        return routes + own
    }
}

/// A document that is made when somebody wants it, and then kept.
private final class OnceMade: Sendable {
    private let make: @Sendable () -> [UInt8]
    private let made = Mutex<(bytes: [UInt8], tag: EntityTag)?>(nil)

    init(_ make: @escaping @Sendable () -> [UInt8]) { self.make = make }

    func answer(to request: RouteRequest) -> HTTPAnswer {
        let (bytes, tag) = made.withLock { made in
            if let made { return made }
            let bytes = make()
            let new = (bytes, EntityTag(Self.hash(bytes), cacheControl: "max-age=300"))
            made = new
            return new
        }
        return tag.answer(to: request) { .json(.ok, bytes) }
    }

    /// FNV-1a: it only has to tell one version of the program from another.
    private static func hash(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 36)
    }
}
