/** Version of this build. */
export const VERSION = '0.1.0'

/**
 * The Mesos version whose API is spoken. It is what /version and MasterInfo tell, since clients compare it to learn which
 * calls they may use.
 */
export const MESOS_VERSION = '1.11.0'
