import { mount } from 'svelte'
import App from './WorkspacePage.svelte'
import './style/tokens.css'
import './style/base.css'
import './style/chat.css'
import './style/kit.css'

mount(App, { target: document.getElementById('page')! })
