internal import EventModel
internal import HTTPTypes
internal import Hummingbird
internal import NIOHTTP1
internal import Transport

/// The catalogue of errors, for everybody.
struct ErrorRoutes: Sendable {
    func add(to table: RouteTable) {
        table.on("v1/errors", [(.get, { _, _ in ErrorCatalogue.list() })])
        table.on(
            "v1/errors/:code",
            [
                (
                    .get,
                    { _, context in
                        try ErrorCatalogue.entry(context.parameters.get("code") ?? "")
                    }
                )
            ])
    }
}
