internal import EventModel
internal import NIOHTTP1

/// Every route there is, found by the segments of its path.
///
/// A literal segment wins over a parameter. Empty segments do not count, so `/v1//topics/` is
/// `/v1/topics`; percent-encoding of literal segments is resolved (RFC 3986 6.2.2.2).
struct RouteTable: Sendable {
    /// Those of the interface, in the order of RFC 9110 9.3.
    static let methods: [HTTPMethod] = [.GET, .HEAD, .POST, .PUT, .PATCH, .DELETE]

    let routes: [Route]
    private var places = [Place()]

    /// What follows one more segment.
    private struct Place: Sendable {
        var literals: [(segment: String, place: Int)] = []
        var parameter: Int?
        /// Indexes of `routes` that end here.
        var routes: [Int] = []
    }

    enum Found: Sendable {
        case route(Route, parameters: [Substring])
        /// There is the path, but not with this method.
        case path(allow: String, access: Route.Access)
        case nothing
    }

    init(_ routes: [Route]) {
        self.routes = routes
        for (index, route) in routes.enumerated() {
            var place = 0
            for segment in route.path.split(separator: "/") {
                place = follow(String(segment), from: place)
            }
            let isNew = places[place].routes.allSatisfy { routes[$0].method != route.method }
            precondition(isNew, "bug: two routes for \(route.method) \(route.path)")
            places[place].routes.append(index)
        }
    }

    private mutating func follow(_ segment: String, from place: Int) -> Int {
        let isParameter = segment.hasPrefix("{")
        let known =
            isParameter
            ? places[place].parameter
            : places[place].literals.first { $0.segment == segment }?.place
        if let known { return known }
        places.append(Place())
        let new = places.count - 1
        if isParameter {
            places[place].parameter = new
        } else {
            places[place].literals.append((segment, new))
        }
        return new
    }

    /// Finds the route of a request target in origin form, or what `*` has, which comes with OPTIONS
    /// alone; a query means nothing here.
    func find(_ method: HTTPMethod, _ uri: String) -> Found {
        if method == .OPTIONS, uri == "*" {
            return .path(allow: allow(Array(routes.indices)), access: .everybody)
        }
        var parameters: [Substring] = []
        guard let place = place(of: RequestTarget(uri).path, &parameters) else { return .nothing }
        let here = places[place].routes
        if let route = route(method, among: here) {
            return .route(route, parameters: parameters)
        }
        guard !here.isEmpty else { return .nothing }
        let isOpen = here.allSatisfy { routes[$0].access == .everybody }
        return .path(allow: allow(here), access: isOpen ? .everybody : .bearer)
    }

    private func place(of path: Substring, _ parameters: inout [Substring]) -> Int? {
        var place = 0
        var rest = path.utf8[...]
        while let start = rest.firstIndex(where: { $0 != UInt8(ascii: "/") }) {
            rest = rest[start...]
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            let segment = Substring(rest[..<end])
            rest = rest[end...]
            if let next = literal(segment, at: place) {
                place = next
            } else if let next = places[place].parameter {
                parameters.append(segment)
                place = next
            } else {
                return nil
            }
        }
        return place
    }

    private func literal(_ segment: Substring, at place: Int) -> Int? {
        let literals = places[place].literals
        if let found = literals.first(where: { $0.segment.utf8.elementsEqual(segment.utf8) }) {
            return found.place
        }
        guard segment.utf8.contains(UInt8(ascii: "%")), let plain = percentDecoded(segment) else {
            return nil
        }
        return literals.first { $0.segment == plain }?.place
    }

    /// HEAD comes with GET; the transport leaves its body out.
    private func route(_ method: HTTPMethod, among indexes: [Int]) -> Route? {
        for index in indexes where routes[index].method == method { return routes[index] }
        return method == .HEAD ? route(.GET, among: indexes) : nil
    }

    /// The value of `Allow` (RFC 9110 10.2.1).
    private func allow(_ indexes: [Int]) -> String {
        Self.methods.filter { route($0, among: indexes) != nil }.map(\.rawValue)
            .joined(separator: ", ")
    }
}

extension RouteTable.Found {
    /// Whether a request is answered without a token, and by a node that drains.
    var isOpen: Bool {
        switch self {
        case .route(let route, _): route.access == .everybody
        case .path(_, let access): access == .everybody
        case .nothing: false
        }
    }

    /// What a request that asks for a WebSocket is to get; `nil` if it asks for none, or there is
    /// none.
    ///
    /// Other protocols in Upgrade, such as curl's `h2c`, may be ignored (RFC 9110 7.8).
    func webSocket(for head: HTTPRequestHead) -> Route.WebSocket? {
        guard case .route(let route, _) = self, let webSocket = route.webSocket,
            head.headers[canonicalForm: "upgrade"].contains(where: {
                $0.lowercased() == "websocket"
            })
        else { return nil }
        return webSocket
    }

    /// A refusal as the route words it: publishes are told that nothing is in the log.
    func worded(_ refusal: BrokerError) -> BrokerError {
        guard case .route(let route, _) = self, route.isPublish else { return refusal }
        return refusal.ofPublish
    }
}
