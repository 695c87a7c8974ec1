/** What is still to be told to the programs of others that serve a network: they were away when it happened. Kept only while there is something. */
export interface DebtRecord {
  readonly networkId: string;
  /** To be given back to the program that gave them, oldest first. */
  readonly addresses: readonly { readonly poolId: string; readonly address: string }[];
  /** Ids of endpoints that the network's driver has not been told the end of. */
  readonly endpoints: readonly string[];
}
