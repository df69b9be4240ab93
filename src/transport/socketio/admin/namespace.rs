//! The namespace `/admin` of the engine, and the admission of pages to it.

use std::{fmt::Display, sync::Arc};

use socketioxide::{
    SocketIo,
    adapter::LocalAdapter,
    handler::{ConnectHandler, Value},
};

use super::{
    AdminUi,
    connection::{AdminConnection, AdminDisconnectListener, AdminMessageListener},
    login::LoginRefusal,
    serving,
};
use crate::{
    domain::Rejection,
    transport::socketio::{
        SocketIoContext, connect_error, engine::NamespaceSocket, namespace::MiddlewareResult,
        request::Version, session::EngineSession,
    },
    wire::admin_ui,
};

/// The name of the namespace, which the page has as its default.
const NAMESPACE: &str = "/admin";

/// Opens the namespace.
pub(in crate::transport::socketio) fn open(
    io: &SocketIo,
    context: &Arc<SocketIoContext>,
    ui: &Arc<AdminUi>,
) {
    let (context, ui) = (Arc::clone(context), Arc::clone(ui));
    io.ns(NAMESPACE, AdminMiddleware { context, ui });
}

/// The middleware of the namespace.
#[derive(Clone)]
struct AdminMiddleware {
    context: Arc<SocketIoContext>,
    ui: Arc<AdminUi>,
}

impl ConnectHandler<LocalAdapter, Self> for AdminMiddleware {
    fn call_middleware<'a>(
        &'a self,
        socket: Arc<NamespaceSocket>,
        auth: &'a Option<Value>,
    ) -> MiddlewareResult<'a> {
        Box::pin(async move {
            self.admit(&socket, auth.as_ref()).await.map_err(|refusal| {
                let version = EngineSession::of(&socket).map_or(Version::V3, |it| it.version());
                let text = match refusal {
                    LoginRefusal::InvalidCredentials => admin_ui::INVALID_CREDENTIALS.to_owned(),
                    LoginRefusal::Busy(rejection) => {
                        connect_error::engine_text(version, &rejection)
                    }
                };
                Box::new(text) as Box<dyn Display + Send>
            })
        })
    }

    fn call(&self, _socket: Arc<NamespaceSocket>, _auth: Option<Value>) {}
}

impl AdminMiddleware {
    /// Admits a page, or rejects it.
    async fn admit(
        &self,
        socket: &Arc<NamespaceSocket>,
        auth: Option<&Value>,
    ) -> Result<(), LoginRefusal> {
        let busy = LoginRefusal::Busy;
        let session = EngineSession::of(socket).ok_or(busy(Rejection::Internal))?;
        if self.context.chat.is_draining() {
            return Err(busy(Rejection::Draining));
        }
        if session.connections().len() >= session.limits().spaces_per_connection_max.get() {
            return Err(busy(Rejection::TooManyRooms));
        }
        let auth = auth.and_then(|it| it.as_str()).map(|it| &**it);
        let credentials = admin_ui::credentials(auth);
        let login = self.ui.logins.log_in(session.handshake().address, credentials).await?;
        let permit = Arc::clone(&self.ui.pages).try_acquire_owned();
        let permit = permit.map_err(|_error| busy(Rejection::Unavailable))?;
        let connection = AdminConnection::new(Arc::clone(session), socket);
        socket.on_fallback(AdminMessageListener(Arc::clone(&connection)));
        socket.on_disconnect(AdminDisconnectListener(Arc::clone(&connection)));
        session.attach(&connection);
        let (chat, rights) = (Arc::clone(&self.context.chat), self.ui.rights);
        let task = async move {
            serving::run(&connection, login, &chat, rights).await;
            drop(permit);
        };
        self.context.tasks.spawn("admin UI page", task);
        Ok(())
    }
}
