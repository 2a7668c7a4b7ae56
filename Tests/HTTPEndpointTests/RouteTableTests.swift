import EventModel
import NIOHTTP1
import Testing

@testable import HTTPEndpoint

@Suite("The table of routes") struct RouteTableTests {
    private static let table = RouteTable([
        route(.GET, "/v1/topics"), route(.GET, "/v1/topics/{topic}/events"),
        route(.POST, "/v1/topics/{topic}/events"), route(.POST, "/v1/events"),
        route(.GET, "/v1/topics/{topic}/events/{offset}"), route(.GET, "/healthz"),
    ])

    private static func route(_ method: HTTPMethod, _ path: String) -> Route {
        Route(
            method: method, path: path, summary: "",
            action: .answer { _ in .json(.ok, []) })
    }

    private func find(_ method: HTTPMethod, _ uri: String) -> String {
        switch Self.table.find(method, uri) {
        case .route(let route, let parameters):
            ([route.method.rawValue, route.path] + parameters.map(String.init))
                .joined(separator: " ")
        case .path(let allow, _): "allow \(allow)"
        case .nothing: "nothing"
        }
    }

    @Test(arguments: [
        ("/v1/topics/a/events", "POST /v1/topics/{topic}/events a"),
        ("/v1/topics/a%2Fb/events", "POST /v1/topics/{topic}/events a%2Fb"),
        ("/v1/topics/a/events?x=/v1/events", "POST /v1/topics/{topic}/events a"),
        ("/v1/topics/events/events", "POST /v1/topics/{topic}/events events"),
        ("/v1/events", "POST /v1/events"), ("/v1//events/", "POST /v1/events"),
        ("/v1/%65vents", "POST /v1/events"), ("/v1/topics", "allow GET, HEAD"),
        ("/v1/topics/a/events/7", "allow GET, HEAD"),
        ("/v1/topics//events", "nothing"), ("/v1/topics/a", "nothing"),
        ("/v1/topics/a/b/events", "nothing"), ("/v1/topics/a?/events", "nothing"),
        ("/V1/events", "nothing"), ("/v1/event", "nothing"), ("/v1/%zzvents", "nothing"),
        ("/", "nothing"), ("*", "nothing"),
    ]) func `finds the way of a POST`(uri: String, expected: String) {
        #expect(find(.POST, uri) == expected)
    }

    @Test func `gives both parameters of a path in their order, as they were sent`() {
        #expect(
            find(.GET, "/v1/topics/a%2eb/events/17")
                == "GET /v1/topics/{topic}/events/{offset} a%2eb 17")
    }

    @Test func `takes HEAD for GET, and no other method for another`() {
        #expect(find(.HEAD, "/healthz") == "GET /healthz")
        #expect(find(.HEAD, "/v1/events") == "allow POST")
        #expect(find(.PROPFIND, "/v1/topics/a/events") == "allow GET, HEAD, POST")
    }

    @Test(
        arguments: [
            ([], "application/json"), (["*/*"], "application/json"),
            (["application/x-ndjson"], "application/x-ndjson"),
            (["application/json;q=0.5", " application/x-ndjson"], "application/x-ndjson"),
            (["application/*;q=0.2", "application/json;q=0.1"], "application/x-ndjson"),
            (["application/x-ndjson;q=0", "*/*;q=0.1"], "application/json"),
            (["text/html"], nil), (["application/json;q=0"], nil), (["application/json;q=x"], nil),
        ] as [([String], String?)]) func `takes the media type that the client likes best`(
            accept: [String], expected: String?
        )
    {
        let type = try? MediaType.preferred(
            by: accept.map { $0[...] }, among: [.json, .ndjson])
        #expect(type?.rawValue == expected)
    }
}
