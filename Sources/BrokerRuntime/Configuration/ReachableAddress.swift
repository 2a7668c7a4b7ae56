package import Transport

extension ListenAddress {
    /// The address under which this machine's commands reach the listener: "every interface" is no
    /// destination.
    package var reachable: ListenAddress {
        let host =
            switch host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "::1"
            default: host
            }
        return ListenAddress(isTLS: isTLS, host: host, port: port)
    }
}

extension StartedBroker {
    /// The URL for the connection file: the first encrypted listener, else the first one.
    package var url: String {
        let address = addresses.first(where: \.isTLS) ?? addresses.first
        return address?.reachable.description ?? ""
    }
}
