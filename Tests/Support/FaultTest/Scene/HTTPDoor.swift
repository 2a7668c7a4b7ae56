internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import OpenSSLBridge
internal import SluiceClient
internal import Transport

extension Door {
    /// What a publish came to, as far as its answer tells.
    enum Answer {
        case created(JSONFields)
        /// Not appended, and never will be by this request.
        case refused(code: String, status: Int)
        /// No answer, or one that does not know.
        case unknown(String)
    }

    /// A TLS connection; the certificate is checked.
    func connect() async throws -> HTTPClientConnection {
        let tls = try TLSContext(.client(TLSTrust(authorities: caFile)))
        return try await ClientConnector.connect(
            host: "127.0.0.1", port: port, tls: tls, group: MultiThreadedEventLoopGroup.singleton,
            timeout: .seconds(5)
        ).get()
    }

    func client() throws -> BrokerClient {
        try BrokerClient(
            ClientConfiguration(
                address: BrokerAddress("https://127.0.0.1:\(port)"), token: token, caFile: caFile,
                timeout: .seconds(15)))
    }

    /// One POST, on the connection that is kept or on a new one; never sent twice.
    func post(
        _ path: String, type: String, key: String?, body: [UInt8],
        over kept: inout HTTPClientConnection?
    ) async -> Answer {
        var headers: HTTPHeaders = ["Content-Type": type]
        if let key { headers.add(name: "Idempotency-Key", value: key) }
        do {
            let (answer, fields) = try await ask(
                .POST, path, headers: headers, body: body, over: &kept)
            if answer.status == .created { return .created(fields) }
            let code = fields.text("code") ?? "no code"
            guard fields.text("committed") != "unknown" else { return .unknown(code) }
            return .refused(code: code, status: Int(answer.status.code))
        } catch {
            kept = nil
            return .unknown("\(error)")
        }
    }

    /// One request, on the connection that is kept or on a new one, and its answer, whatever it is.
    func ask(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
        over kept: inout HTTPClientConnection?
    ) async throws -> (HTTPResponseHead, JSONFields) {
        var headers = headers
        headers.add(name: "Authorization", value: "Bearer \(token)")
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        let connection: HTTPClientConnection
        if let kept { connection = kept } else { connection = try await connect() }
        kept = connection
        let (answer, bytes) = try await connection.send(
            head, body: ByteBuffer(bytes: body), timeout: .seconds(20)
        ).get()
        return (answer, try JSONFields(Array(buffer: bytes)))
    }
}
