/// Where a TLS session's records go.
package protocol TLSOutput: AnyObject {
    /// Takes all of `bytes`, which are valid during the call only.
    ///
    /// Called synchronously from `receive`, `seal`, `start` and `shutdown`, in wire order.
    func write(_ bytes: UnsafeRawBufferPointer)
}
