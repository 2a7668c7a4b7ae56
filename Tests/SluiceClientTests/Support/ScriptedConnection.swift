import NIOCore
import OpenSSLBridge
import WebSocketCodec

/// A connection of a scripted broker: requests one at a time, then maybe a WebSocket.
final class ScriptedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let number: Int
    private let script: (ScriptedBroker.Input) -> ScriptedBroker.Output
    private let admits: (String?) -> Bool
    private let ended: (ScriptedBroker.End) -> Void
    private var text = ""
    private var receiver: WebSocketReceiver?

    init(
        _ number: Int, script: @escaping (ScriptedBroker.Input) -> ScriptedBroker.Output,
        admits: @escaping (String?) -> Bool,
        ended: @escaping (ScriptedBroker.End) -> Void
    ) {
        self.number = number
        self.script = script
        self.admits = admits
        self.ended = ended
    }

    func channelInactive(context: ChannelHandlerContext) { ended(.connection(number)) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(buffer: unwrapInboundIn(data))
        guard receiver == nil else { return receive(bytes, context) }
        text += String(decoding: bytes, as: UTF8.self)
        while let request = nextRequest() { answer(request, context) }
    }

    /// A head and its body, when both are there.
    private func nextRequest() -> (line: String, fields: [(name: String, value: String)])? {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ": ", maxSplits: 1)
            return (name: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : "")
        }
        let length = fields.first { $0.name.lowercased() == "content-length" }
        let body = length.flatMap { Int($0.value) } ?? 0
        let rest = text[end.upperBound...]
        guard rest.utf8.count >= body else { return nil }
        text = String(decoding: rest.utf8.dropFirst(body), as: UTF8.self)
        return (String(lines[0]), fields)
    }

    private func answer(
        _ request: (line: String, fields: [(name: String, value: String)]),
        _ context: ChannelHandlerContext
    ) {
        let authorization = request.fields.first { $0.name == "Authorization" }?.value
        guard admits(authorization.map { String($0.trimmingPrefix("Bearer ")) }) else {
            let json = #"{"code":"unauthorized","detail":"m","remedy":"r"}"#
            return say(.answer(status: "401 Unauthorized", json: json), context)
        }
        let upgrade = try? WebSocketUpgrade.check(
            method: "GET", version: (1, 1), headers: request.fields, subprotocols: ["sluice.v1"],
            sha1: { Digest.sha1($0) })
        guard let upgrade else {
            return say(script(.request(request.line, connection: number)), context)
        }
        let head = upgrade.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        write(Array("HTTP/1.1 101 Switching Protocols\r\n\(head)\r\n".utf8), context)
        receiver = WebSocketReceiver(role: .server)
        say(script(.opened(connection: number)), context)
    }

    private func receive(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        var events: [WebSocketEvent] = []
        receiver?.receive(bytes, into: &events)
        for event in events {
            switch event {
            case .text(let message):
                let text = String(decoding: message, as: UTF8.self)
                say(script(.message(text, connection: number)), context)
            case .close(let code, _): ended(.closeFrame(code: code, connection: number))
            case .binary, .ping, .pong, .failed: break
            }
        }
    }

    private func say(_ output: ScriptedBroker.Output, _ context: ChannelHandlerContext) {
        switch output {
        case .answer(let status, let json):
            let head = "HTTP/1.1 \(status)\r\nContent-Length: \(json.utf8.count)\r\n\r\n"
            write(Array((head + json).utf8), context)
        case .messages(let texts):
            write(texts.flatMap { WebSocketFrame.encode(text: Array($0.utf8)) }, context)
        case .silence: break
        }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}

@available(*, unavailable) extension ScriptedConnection: Sendable {}
