internal import EventModel
internal import NIOHTTP1
internal import Transport

/// The catalogue of errors, for everybody.
struct ErrorRoutes: Sendable {
    var routes: [Route] {
        [
            Route(
                method: .GET, path: "/v1/errors", summary: "Lists the codes of errors.",
                access: .everybody,
                results: [.json("All codes.", "ErrorList")],
                action: .answer { _ in ErrorCatalogue.list() }),
            Route(
                method: .GET, path: "/v1/errors/{code}", summary: "Explains a code.",
                access: .everybody, results: [.json("The code.", "ErrorEntry")],
                action: .answer { try ErrorCatalogue.entry(String($0.parameters[0])) }),
        ]
    }
}
