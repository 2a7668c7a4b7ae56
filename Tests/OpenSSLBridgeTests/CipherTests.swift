import Testing

@Suite("A server's choice of ciphers") struct CipherTests {
    private let server: MemoryPeer

    init() throws { server = try TestServerContext().peer() }

    @discardableResult
    private func chosen(
        suites: String? = nil, ciphers: String? = nil, groups: String? = nil
    ) throws -> String {
        let client = try OpenSSLClient(suites: suites, ciphers: ciphers, groups: groups)
        try client.connect(to: server)
        try client.send([1, 2, 3])
        try server.take(client.takeOutput())
        #expect(server.received == [1, 2, 3])
        return client.cipher
    }

    @Test(
        arguments: [
            (nil, "TLS_AES_128_GCM_SHA256"),
            ("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
            (
                "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
                "TLS_AES_128_GCM_SHA256"
            ),
            (
                "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
                "TLS_CHACHA20_POLY1305_SHA256"
            ),
            ("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"),
            ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        ] as [(String?, String)])
    func `is AES-128-GCM in TLS 1.3, and ChaCha20 for who has it first`(
        suites: String?, expected: String
    ) throws {
        #expect(try chosen(suites: suites) == expected)
    }

    @Test(
        arguments: [
            ("DEFAULT", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            (
                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES128-GCM-SHA256"
            ),
            (
                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-CHACHA20-POLY1305"
            ),
            ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ])
    func `is the same in TLS 1.2`(
        ciphers: String, expected: String
    ) throws {
        #expect(try chosen(ciphers: ciphers) == expected)
    }

    @Test(
        arguments: [
            "NULL-SHA256:@SECLEVEL=0", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA",
            "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM",
        ])
    func `is nothing with CBC, with CCM or without encryption`(
        ciphers: String
    ) throws {
        #expect(throws: (any Error).self) { try chosen(ciphers: ciphers) }
    }

    @Test(arguments: ["X25519", "P-256", "P-384", "P-521", "ffdhe2048:P-256"])
    func `goes with keys of elliptic curves`(groups: String) throws {
        try chosen(groups: groups)
    }

    @Test(arguments: ["ffdhe2048", "ffdhe8192"])
    func `goes with no key of a finite field, which costs hundreds of times as much`(
        groups: String
    ) {
        #expect(throws: (any Error).self) { try chosen(groups: groups) }
    }
}
