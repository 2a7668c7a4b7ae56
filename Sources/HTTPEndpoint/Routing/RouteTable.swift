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
        var literals: [(segment: [UInt8], place: Int)] = []
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
                place = follow(Array(segment.utf8), from: place)
            }
            let isNew = places[place].routes.allSatisfy { routes[$0].method != route.method }
            precondition(isNew, "bug: two routes for \(route.method) \(route.path)")
            places[place].routes.append(index)
        }
    }

    private mutating func follow(_ segment: [UInt8], from place: Int) -> Int {
        let isParameter = segment.first == UInt8(ascii: "{")
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

    /// Finds the route of a request target in origin form, or what `*` has, which comes with
    /// OPTIONS alone; a query means nothing here.
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
        let bytes = Array(path.utf8)
        var rest = bytes[...]
        while let start = rest.firstIndex(where: { $0 != UInt8(ascii: "/") }) {
            rest = rest[start...]
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            let segment = rest[..<end]
            rest = rest[end...]
            if let next = literal(segment, at: place) {
                place = next
            } else if let next = places[place].parameter {
                parameters.append(Substring(decoding: segment, as: UTF8.self))
                place = next
            } else {
                return nil
            }
        }
        return place
    }

    private func literal(_ segment: ArraySlice<UInt8>, at place: Int) -> Int? {
        for literal in places[place].literals where literal.segment[...] == segment {
            return literal.place
        }
        guard segment.contains(UInt8(ascii: "%")),
            let plain = percentDecoded(Substring(decoding: segment, as: UTF8.self))
        else { return nil }
        return places[place].literals.first { $0.segment == Array(plain.utf8) }?.place
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
