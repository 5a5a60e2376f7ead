/** Name of the socket in the folder of a launcher. */
export const SOCKET_NAME = 'launcher.sock'

/** Name of the folder with its containers. */
export const CONTAINERS_NAME = 'containers'
