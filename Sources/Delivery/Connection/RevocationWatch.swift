package import AccessControl
internal import EventModel

/// Ends the node's sessions and streams whose tokens were revoked, on whatever node that was done.
package struct RevocationWatch: Sendable {
    private let hub: DeliveryHub
    private let store: any TokenStore
    private let interval: Duration

    /// Makes a watch that looks at the tokens in use once in each `interval`.
    package init(hub: DeliveryHub, store: any TokenStore, interval: Duration) {
        self.hub = hub
        self.store = store
        self.interval = interval
    }

    /// Looks again and again, until it is cancelled.
    package func run() async {
        while (try? await Task.sleep(for: interval)) != nil { await look() }
    }

    /// Asks once, for all tokens in use.
    package func look() async {
        let ids = await hub.tokenIDs()
        guard !ids.isEmpty else { return }
        // A database that can't be reached revokes nobody.
        guard let revoked = try? await store.revoked(among: ids), !revoked.isEmpty else { return }
        hub.forEachLoop { $0.end(tokens: revoked) }
    }
}
