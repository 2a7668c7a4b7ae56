internal import BrokerRuntime
internal import Glibc

/// What `serve` prints when it is ready: what to type next.
struct FirstSteps {
    var started: StartedBroker
    var auth: AuthMode
    /// The path of this executable.
    var program: String
    /// Whether a person reads this, and nothing keeps it.
    var isTerminal: Bool

    /// This process's executable, whatever it was called by.
    static func currentProgram() -> String {
        guard let path = realpath("/proc/self/exe", nil) else { return "sluice" }
        defer { free(path) }
        return String(cString: path)
    }

    var text: String {
        var parts = ["Sluice \(ProgramVersion.current) is ready at \(addresses).", terminals, curl]
        if let note { parts.append(note) }
        return "\n" + parts.joined(separator: "\n\n") + "\n\n"
    }

    private var addresses: String {
        started.addresses.map { "\($0.reachable)" }.joined(separator: ", ")
    }

    private var terminals: String {
        let directory = program.split(separator: "/").dropLast().joined(separator: "/")
        return """
            Try in other terminals:
              export PATH="/\(directory):$PATH"
              sluice demo                                   # publishes this machine's load, once a second
              sluice subscribe 'demo.>'                     # shows it arriving
              sluice publish demo.hello '{"text":"hello"}'
            """
    }

    private var curl: String {
        var lines: [String] = []
        var options: [String] = []
        if let file = started.caFile, started.url.hasPrefix("https") {
            options.append("--cacert '\(file)'")
        }
        if auth == .token {
            if let token = newToken {
                lines.append("TOKEN=\(token)")
            } else if let file = started.connectionFile, started.token != nil {
                lines.append(#"TOKEN=$(sed -n 's/.*"token" : "\(.*\)".*/\1/p' '\#(file)')"#)
            } else {
                lines.append("TOKEN=$SLUICE_TOKEN")
            }
            options.append("-H \"Authorization: Bearer $TOKEN\"")
        }
        options.append("-H 'Content-Type: application/json'")
        lines.append("curl " + options.joined(separator: " ") + " \\")
        lines.append("  -d '{\"text\":\"hello\"}' \(started.url)/v1/topics/demo.hello/events")
        return "Or with curl:\n" + lines.map { "  \($0)\n" }.joined().dropLast()
    }

    /// A token that was made just now; what is no terminal may be a log, which is kept and read by
    /// others.
    private var newToken: String? { started.isNewToken && isTerminal ? started.token : nil }

    private var note: String? {
        if let missing = started.missingToken {
            return """
                The commands of this machine need a token. \(missing.reason)
                This makes one and hands it to them:
                  export SLUICE_TOKEN=$(\(missing.command))
                """
        }
        guard newToken != nil, let file = started.connectionFile else { return nil }
        return """
            The token above is shown only this once. The commands on this machine find it in
            \(file), which only you can read.
            """
    }
}
