internal import EventModel
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// The router's routes; each path answers the methods that it does not offer with 405 and `Allow`.
struct RouteTable {
    typealias Handler = @Sendable (Request, RouteContext) async throws -> HTTPAnswer

    private let router: Router<RouteContext>

    /// The methods of RFC 9110 9.3 and RFC 5789; others are routed as TRACE, which no path offers.
    private static let methods: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .trace,
    ]

    init(problems: Problems) {
        router = Router(context: RouteContext.self)
        router.add(middleware: ProblemMiddleware(problems: problems))
    }

    /// Adds a path with all its methods; HEAD comes with GET, and the transport leaves its body out.
    func on(_ path: RouterPath, _ offered: [(HTTPRequest.Method, Handler)]) {
        var handlers = Dictionary(uniqueKeysWithValues: offered)
        handlers[.head] = handlers[.get]
        let allow = Self.methods.filter { handlers[$0] != nil }.map(\.rawValue)
            .joined(separator: ", ")
        for method in Self.methods {
            if let handler = handlers[method] {
                router.on(path, method: method) { request, context in
                    Response(try await handler(request, context))
                }
            } else {
                router.on(path, method: method) { _, context -> Response in
                    let name = context.incoming.head.method.rawValue
                    throw MethodRefused(allow: allow, method: name)
                }
            }
        }
    }

    func responder() -> RouterResponder<RouteContext> { router.buildResponder() }

    /// The request as the router takes it.
    static func request(_ incoming: IncomingRequest) -> Request {
        let method = HTTPRequest.Method(rawValue: incoming.head.method.rawValue)
        var fields = HTTPFields()
        for (name, value) in incoming.head.headers {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        return Request(
            head: HTTPRequest(
                method: method.map { methods.contains($0) ? $0 : .trace } ?? .trace, scheme: nil,
                authority: nil, path: incoming.head.uri, headerFields: fields),
            body: RequestBody(buffer: incoming.body))
    }
}

/// A path that exists was asked with a method that it does not have.
struct MethodRefused: Error {
    let allow: String
    let method: String

    var error: BrokerError {
        BrokerError(
            .methodNotAllowed, "\(quoted(method)) does not fit this path.",
            remedy: "Use one of: \(allow).")
    }
}

/// Makes problem documents of what routes throw, and of paths that do not exist.
struct ProblemMiddleware: RouterMiddleware {
    let problems: Problems

    func handle(
        _ request: Request, context: RouteContext,
        next: (Request, RouteContext) async throws -> Response
    ) async throws -> Response {
        let head = context.incoming.head
        do {
            return try await next(request, context)
        } catch let refused as MethodRefused {
            return Response(
                problems.answer(
                    to: refused.error, head: head, headers: ["allow": refused.allow]))
        } catch let error as BrokerError {
            return Response(problems.answer(to: error, head: head))
        } catch let error as HTTPError where error.status == .notFound {
            let path = RequestTarget(head.uri).path
            return Response(
                problems.answer(
                    to: BrokerError(.notFound, "There is nothing at \(quoted(path))."),
                    head: head))
        } catch {
            return Response(
                problems.answer(to: BrokerError(.internal, "\(type(of: error))"), head: head))
        }
    }
}
