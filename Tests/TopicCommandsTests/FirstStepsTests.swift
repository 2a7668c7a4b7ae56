import BrokerRuntime
import Testing

@testable import TopicCommands

@Suite("What 'serve' prints when it is ready") struct FirstStepsTests {
    private func text(
        auth: AuthMode = .token, token: String? = "slc_a_b", isNew: Bool, isTerminal: Bool = true,
        missing: MissingToken? = nil
    ) -> String {
        var started = StartedBroker(
            addresses: [], caFile: "/data/ca.pem", token: token, isNewToken: isNew,
            connectionFile: "/home/ada/c.json")
        started.missingToken = missing
        return FirstSteps(
            started: started, auth: auth, program: "/src/sluice/.build/release/sluice",
            isTerminal: isTerminal
        ).text
    }

    @Test func `shows a new token once`() {
        let text = text(isNew: true)
        #expect(text.contains("TOKEN=slc_a_b\n"))
        #expect(text.contains("shown only this once"))
        #expect(text.contains("/home/ada/c.json, which only you can read"))
    }

    @Test func `never shows a token to a pipe or a log`() {
        let text = text(isNew: true, isTerminal: false)
        #expect(!text.contains("slc_a_b"))
        #expect(text.contains("'/home/ada/c.json')"))
    }

    @Test func `says why there is no token, and which command makes one`() {
        let missing = MissingToken(
            reason: "The token was revoked.", command: "sluice token create --name NAME")
        let text = text(token: nil, isNew: false, missing: missing)
        #expect(text.contains("The token was revoked."))
        #expect(text.contains("export SLUICE_TOKEN=$(sluice token create --name NAME)\n"))
        #expect(text.contains("TOKEN=$SLUICE_TOKEN\n"))
    }

    @Test func `takes a known token out of the connection file instead of showing it`() {
        let text = text(isNew: false)
        #expect(!text.contains("slc_a_b"))
        #expect(text.contains("'/home/ada/c.json')"))
    }

    @Test func `says nothing of tokens without authentication`() {
        #expect(!text(auth: .none, token: nil, isNew: false).contains("TOKEN"))
    }

    @Test func `names the directory of the program, and the commands to try`() {
        let text = text(isNew: true)
        #expect(text.contains(#"export PATH="/src/sluice/.build/release:$PATH""#))
        #expect(text.contains("sluice subscribe 'demo.>'"))
    }
}
